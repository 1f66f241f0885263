//! A machine behind an SSH server in this process, that answers scripts as a test says.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use secrecy::SecretString;
use tfplugin::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::management_cluster::Operation;

/// What a script comes to.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Exit status, standard output, standard error.
    Exit(u32, String, String),
    /// It never ends by itself.
    Hangs,
}

impl Reply {
    /// Success with an output.
    pub(crate) fn says(text: &str) -> Self {
        Self::Exit(0, text.to_owned(), String::new())
    }
}

type Script = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

/// A machine that runs until the drop.
pub(crate) struct FakeMachine {
    port: u16,
    key: PrivateKey,
    host_key: PrivateKey,
    /// What it was asked, and which signals it got.
    log: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FakeMachine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Connection {
    key: PrivateKey,
    script: Script,
    input: Vec<u8>,
    log: Arc<Mutex<Vec<String>>>,
}

fn key() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

impl FakeMachine {
    pub(crate) async fn start(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (key, host_key, log) = (key(), key(), Arc::new(Mutex::new(Vec::new())));
        let config = server::Config {
            keys: vec![host_key.clone()],
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            ..server::Config::default()
        };
        let (config, script): (_, Script) = (Arc::new(config), Arc::new(script));
        let port = listener.local_addr().unwrap().port();
        let (its_key, its_log) = (key.clone(), Arc::clone(&log));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = Connection {
                    key: its_key.clone(),
                    script: Arc::clone(&script),
                    input: Vec::new(),
                    log: Arc::clone(&its_log),
                };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(running) = server::run_stream(config, stream, connection).await {
                        let _ = running.await;
                    }
                });
            }
        });
        Self { port, key, host_key, log, task }
    }

    /// The object `ssh` of a provider block that logs in.
    pub(crate) fn block(&self) -> Value {
        let key = self.key.to_openssh(LineEnding::LF).unwrap();
        Value::object([("private_key", Value::from(key.as_str())), ("known_hosts", "none ".into())])
    }

    /// Sets the attributes of an object that is about it.
    pub(crate) fn place(&self, object: &mut Value) {
        object.set("host", "127.0.0.1".into());
        object.set("port", i64::from(self.port).into());
        object.set("host_key", self.fingerprint().into());
    }

    fn object(&self) -> Value {
        let mut object = Value::object([("host", Value::Null), ("port", Value::Null), ("host_key", Value::Null)]);
        self.place(&mut object);
        object
    }

    fn fingerprint(&self) -> String {
        self.host_key.public_key().fingerprint(HashAlg::Sha256).to_string()
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

impl server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let known = key.public_key.key_data() == self.key.public_key().key_data();
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(if password == "planted password" { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        let Ok(mut stream) = TcpStream::connect((host, u16::try_from(port).unwrap())).await else { return Ok(()) };
        self.log.lock().unwrap().push("forward".to_owned());
        reply.accept().await;
        tokio::spawn(async move {
            let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut stream).await;
        });
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.input.clear();
        self.log.lock().unwrap().push(format!("exec {}", String::from_utf8_lossy(command)));
        session.channel_success(channel)
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.input.extend_from_slice(data);
        if !self.input.ends_with(super::command::AFTER.as_bytes()) {
            return Ok(());
        }
        let input = String::from_utf8(std::mem::take(&mut self.input)).unwrap();
        let reply = (self.script)(&input);
        self.log.lock().unwrap().push(input);
        if let Reply::Exit(status, output, error) = reply {
            session.data(channel, output.into_bytes())?;
            session.extended_data(channel, 1, error.into_bytes())?;
            session.exit_status_request(channel, status)?;
            session.eof(channel)?;
            session.close(channel)?;
        }
        Ok(())
    }

    async fn channel_eof(&mut self, _: ChannelId, _: &mut server::Session) -> Result<(), russh::Error> {
        self.log.lock().unwrap().push("end of input".to_owned());
        Ok(())
    }
}

fn operation(stop: &CancellationToken) -> Operation {
    Operation::new(Duration::from_secs(20), stop)
}

async fn open(block: &Value, object: &Value) -> Result<Session, SshError> {
    let settings = Settings::of(block);
    let route = settings.route(object).unwrap();
    Session::open(&operation(&CancellationToken::new()), &settings, &route, Duration::ZERO).await
}

async fn run(session: &Session, script: &str) -> Result<Output, SshError> {
    let script = SecretString::from(script);
    session.run(&operation(&CancellationToken::new()), &script, Duration::from_secs(10)).await
}

#[tokio::test]
async fn a_script_runs_as_root_and_its_outputs_and_status_come_back() {
    let machine = FakeMachine::start(|input| Reply::Exit(7, input.to_owned(), "complaint".to_owned())).await;
    let session = open(&machine.block(), &machine.object()).await.unwrap();
    let output = run(&session, "echo secret").await.unwrap();
    assert_eq!((output.status, output.success(), output.stderr.as_str()), (Some(7), false, "complaint"));
    assert!(output.stdout.contains("(\necho secret\n) 3<&-\n"), "{}", output.stdout);
    // A second one on the same connection; no command line shows what runs.
    run(&session, "true").await.unwrap();
    let commands: Vec<String> = machine.asked().into_iter().filter(|line| line.starts_with("exec ")).collect();
    assert_eq!(commands, ["exec sh -s", "exec sh -s"]);
    let mut object = machine.object();
    object.set("user", "admin".into());
    run(&open(&machine.block(), &object).await.unwrap(), "true").await.unwrap();
    assert!(machine.asked().contains(&"exec sudo -n -- sh -s".to_owned()));
}

#[tokio::test]
async fn a_large_script_and_a_large_output_go_through() {
    let machine = FakeMachine::start(|input| Reply::Exit(0, "o".repeat(200_000), input.len().to_string())).await;
    let session = open(&machine.block(), &machine.object()).await.unwrap();
    let output = run(&session, &"x".repeat(3 << 20)).await.unwrap();
    assert_eq!(output.stdout.len(), 64 << 10);
    assert!(output.stderr.parse::<usize>().unwrap() > 3 << 20, "{}", output.stderr);
}

#[tokio::test]
async fn nothing_is_sent_to_a_host_with_another_key() {
    let machine = FakeMachine::start(|_| Reply::says("")).await;
    let mut object = machine.object();
    object.set("host_key", Value::Null);
    assert!(matches!(open(&machine.block(), &object).await, Err(SshError::UnknownHostKey { .. })));
    object.set("host_key", key().public_key().fingerprint(HashAlg::Sha256).to_string().into());
    assert!(matches!(open(&machine.block(), &object).await, Err(SshError::WrongHostKey { .. })));
    assert!(machine.asked().is_empty());
    // The known hosts vouch for it.
    object.set("host_key", Value::Null);
    let mut block = machine.block();
    let line = format!("[127.0.0.1]:{} {}", machine.port, machine.host_key.public_key().to_openssh().unwrap());
    block.set("known_hosts", line.into());
    open(&block, &object).await.unwrap();
}

#[tokio::test]
async fn who_is_not_let_in_is_told_what_was_tried_and_a_password_comes_last() {
    let machine = FakeMachine::start(|_| Reply::says("")).await;
    let mut block = machine.block();
    block.set("private_key", key().to_openssh(LineEnding::LF).unwrap().as_str().into());
    block.set("password", "wrong".into());
    let Err(error) = open(&block, &machine.object()).await else { panic!("let in") };
    let text = error.diagnostic("log in").detail;
    assert!(text.contains("the key of private_key, the password") && !text.contains("wrong"), "{text}");
    block.set("password", "planted password".into());
    open(&block, &machine.object()).await.unwrap();
}

#[tokio::test]
async fn a_bastion_carries_the_connection() {
    let bastion = FakeMachine::start(|_| Reply::says("")).await;
    let machine = FakeMachine::start(|_| Reply::says("here")).await;
    let mut block = machine.block();
    // One key for both, as the provider block has it.
    block.set("password", "planted password".into());
    block.set("bastion", bastion.object());
    let session = open(&block, &machine.object()).await.unwrap();
    assert_eq!(run(&session, "true").await.unwrap().stdout, "here");
    assert_eq!(bastion.asked(), ["forward"]);
}

#[tokio::test]
async fn an_interrupt_ends_a_script_within_a_second() {
    let machine = FakeMachine::start(|_| Reply::Hangs).await;
    let session = open(&machine.block(), &machine.object()).await.unwrap();
    let stop = CancellationToken::new();
    let later = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        later.cancel();
    });
    let begin = Instant::now();
    let script = SecretString::from("sleep 1000");
    let outcome = session.run(&operation(&stop), &script, Duration::from_secs(60)).await;
    assert!(matches!(outcome, Err(SshError::Stopped)), "{outcome:?}");
    assert!(begin.elapsed() < Duration::from_millis(1200), "{:?}", begin.elapsed());
    let told = async {
        while !machine.asked().contains(&"end of input".to_owned()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), told).await.expect("the script is told to end");
    let limited = session.run(&operation(&CancellationToken::new()), &script, Duration::from_millis(50)).await;
    assert!(matches!(limited, Err(SshError::Timeout { .. })), "{limited:?}");
}

/// As sshd starts it: with an input that stays open. The shells of machines: dash, bash, busybox.
#[rstest::rstest]
#[case::ends("echo a; cat; exit 3", false, Some(3))]
#[case::traps("trap 'rm -f \"$FILE\"' EXIT; trap 'exit 143' TERM; sleep 1000", true, None)]
fn a_shell_runs_the_group_and_ends_with_its_input(
    #[case] script: &str,
    #[case] closes: bool,
    #[case] status: Option<i32>,
) {
    use std::io::Write as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};
    let mut command = Command::new("sh");
    let file = tempfile::NamedTempFile::new().unwrap();
    command
        .env("FILE", file.path())
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut shell = command.spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    let text = format!("{}{script}{}", super::command::BEFORE, super::command::AFTER);
    input.write_all(text.as_bytes()).unwrap();
    let begin = Instant::now();
    if closes {
        std::thread::sleep(Duration::from_millis(300));
        // Nobody listens any more.
        drop((input, shell.stdout.take(), shell.stderr.take()));
    }
    let ended = shell.wait().unwrap();
    let cleaned_up = || {
        (0..100).any(|_| {
            !file.path().exists() || {
                std::thread::sleep(Duration::from_millis(20));
                false
            }
        })
    };
    assert_eq!(closes, cleaned_up());
    if status.is_some() {
        assert_eq!(ended.code(), status);
    }
    assert!(!ended.success() && begin.elapsed() < Duration::from_secs(5), "{ended} after {:?}", begin.elapsed());
}

#[tokio::test]
async fn a_host_that_does_not_listen_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let object = Value::object([("host", Value::from("127.0.0.1")), ("port", i64::from(port).into())]);
    let Err(error) = open(&Value::object([("agent", Value::from(false))]), &object).await else { panic!("reached") };
    assert!(error.is_passing(), "{error}");
    assert_eq!(error.diagnostic("log in").path.to_string(), "host");
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_named_and_not_quoted() {
    let machine = FakeMachine::start(|_| Reply::says("")).await;
    let public = machine.key.public_key().to_openssh().unwrap();
    for (text, words) in [
        (public.as_str(), "public key"),
        ("planted", "not a private key"),
        ("-----BEGIN X-----\nplanted", "cannot be read"),
    ] {
        let mut block = machine.block();
        block.set("private_key", text.into());
        let found: Vec<_> = super::schema::validate(&block).into_iter().collect();
        assert!(found[0].detail.contains(words) && !found[0].detail.contains("planted"), "{}", found[0].detail);
        assert_eq!(found[0].path.to_string(), "ssh.private_key");
        assert!(matches!(open(&block, &machine.object()).await, Err(SshError::Credentials { .. })));
    }
}
