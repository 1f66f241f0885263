//! Every RPC with every kind of request, right and broken, as Terraform and as OpenTofu send it; every kind of start; and
//! an end at every moment. The provider may refuse, but never panic, hang, close the connection, or answer what core
//! cannot read.
//!
//! The requests are made from the schemas that the binary serves, so an object that is added is played too. `make
//! conformance` plays all of them (`KAMAJI_CONFORMANCE=all`); without it a sample, evenly spread.

mod breakage;
mod cancel;
mod clis;
mod framing;
mod load;
pub mod requests;
mod rpcs;
mod runner;
mod samples;
mod starts;
mod tally;

use std::time::Instant;

use clis::Cli;
use runner::World;
use tally::Tally;

/// How much is played of what can be wrong with one field of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// A few cases.
    Glance,
    /// A minute for everything.
    Sample,
    /// Every kind, at so many places that all fields together go through each of them.
    All,
}

impl Extent {
    fn from_environment() -> Self {
        if std::env::var("KAMAJI_CONFORMANCE").as_deref() == Ok("all") { Self::All } else { Self::Sample }
    }

    /// Evenly spread over `all`, so many of them as the extent says: other ones at each `turn`.
    fn pick<T: Send>(
        self,
        all: Vec<T>,
        [glance, sample, most]: [usize; 3],
        turn: usize,
    ) -> impl Iterator<Item = T> + Send {
        let many = match self {
            Self::Glance => glance,
            Self::Sample => sample,
            Self::All => most,
        };
        let step = all.len().div_ceil(many.max(1)).max(1);
        all.into_iter().skip(turn % step).step_by(step).take(many)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_client_does_makes_it_panic_or_hang() {
    let extent = Extent::from_environment();
    let (begun, mut tally) = (Instant::now(), Tally::default());
    for cli in [&clis::TERRAFORM, &clis::OPENTOFU] {
        walks(cli, &mut tally).await;
        starts::play(cli, &mut tally).await;
        tally.progress(begun, &format!("walks and starts of {}", cli.name));
    }
    for (turn, world) in World::ALL.into_iter().enumerate() {
        // The CLIs take turns: what differs between them is in every request that differs.
        let cli = if turn % 2 == 0 { &clis::TERRAFORM } else { &clis::OPENTOFU };
        runner::broken_requests(world, cli, extent, &mut tally).await;
        tally.progress(begun, &format!("broken requests of {}, {world:?}", cli.name));
    }
    framing::play(&clis::TERRAFORM, &mut tally).await;
    tally.progress(begun, "broken frames");
    cancel::play(&clis::TERRAFORM, &mut tally).await;
    tally.progress(begun, "ends at every moment");
    load::many_at_once(&clis::TERRAFORM, extent, &mut tally).await;
    tally.progress(begun, "many calls at once");
    load::many_megabytes(&clis::OPENTOFU, extent, &mut tally).await;
    tally.progress(begun, "values of many megabytes");
    tally.print();
    tally.assert_clean();
}

/// The processes of one command, each started, used and ended as the CLI does it.
async fn walks(cli: &'static Cli, tally: &mut Tally) {
    for walk in cli.walks {
        runner::valid_requests(cli, walk, tally).await;
    }
}
