//! Lists of objects, read page by page: what comes first is there before the rest is asked for.

use kube::api::ListParams;
use kube::core::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::classify::Asked;
use super::client::{ManagementCluster, Selectors, checked, unreadable, unsendable};
use super::error::ApiError;
use super::kind::Kind;
use super::operation::Operation;
use super::transport::Call;

/// Objects in one page of a list, at most.
pub const PAGE: u32 = 500;

/// A list that is being read. [`ManagementCluster::pages`] begins it.
pub struct Pages {
    cluster: ManagementCluster,
    asked: Asked,
    path: Request,
    parameters: ListParams,
    ended: bool,
}

/// A page as the API server answers it, its objects unread.
#[derive(Deserialize)]
pub(super) struct List<'a> {
    pub(super) metadata: ListMetadata,
    #[serde(borrow)]
    pub(super) items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct ListMetadata {
    /// Where the next page begins; empty in the last one.
    #[serde(default, rename = "continue")]
    pub(super) next: String,
}

/// One page.
pub struct Page<T> {
    /// What is kept of its objects, in the order of namespace and name.
    pub items: Vec<T>,
    /// The list began anew, since it had changed too much: what came before comes again.
    pub anew: bool,
}

impl ManagementCluster {
    /// Begins a list of the objects of a kind: of one namespace, or of all. Makes no request. `size` is the number
    /// of objects in a page.
    pub fn pages(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        Selectors { labels, fields }: Selectors<'_>,
        size: u32,
    ) -> Result<Pages, ApiError> {
        let mut parameters = ListParams::default().limit(size.clamp(1, PAGE));
        if !labels.is_empty() {
            parameters = parameters.labels(labels);
        }
        if !fields.is_empty() {
            parameters = parameters.fields(fields);
        }
        Ok(Pages {
            cluster: self.clone(),
            asked: Asked { kind, namespace: namespace.map(str::to_owned), name: String::new() },
            path: Request::new(kind.url_path(checked(namespace)?)),
            parameters,
            ended: false,
        })
    }
}

impl Pages {
    /// The next page, keeping of each object only what `keep` makes of it; [`None`] after the last one.
    pub async fn next<T: DeserializeOwned, K>(
        &mut self,
        operation: &Operation,
        keep: impl Fn(T) -> K,
    ) -> Result<Option<Page<K>>, ApiError> {
        let mut anew = false;
        while !self.ended {
            let request = self.path.list(&self.parameters).map_err(unsendable)?;
            let call = Call { asked: self.asked.clone(), request, idempotent: true };
            let answer = match self.cluster.exchange(operation, &call).await {
                // The list changed too much since its first page (HTTP 410): from the start, and in one piece.
                Err(ApiError::Other { status: 410, .. }) if self.parameters.continue_token.is_some() => {
                    anew = true;
                    self.parameters.continue_token = None;
                    self.parameters.limit = None;
                    continue;
                }
                answer => answer?,
            };
            let page: List<'_> = serde_json::from_slice(&answer.body).map_err(|error| unreadable(&error))?;
            let item =
                |item: &RawValue| serde_json::from_str(item.get()).map(&keep).map_err(|error| unreadable(&error));
            let items = page.items.into_iter().map(item).collect::<Result<_, _>>()?;
            self.ended = page.metadata.next.is_empty();
            self.parameters.continue_token = Some(page.metadata.next);
            return Ok(Some(Page { items, anew }));
        }
        Ok(None)
    }
}
