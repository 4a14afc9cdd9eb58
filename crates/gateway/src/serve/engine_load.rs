//! Asking engines how busy they are, where the configuration says what they are.

use std::sync::Arc;

use http::HeaderMap;

use crate::engine_load::{Followed, Polls, Scrape};
use crate::router::{Deployment, NotUsable, Table};
use crate::upstream::Origin;

/// Connections to one server: no more than one reading goes on at a time.
const CONNECTIONS: usize = 2;

/// Begins to ask the engines of a table, if it has any.
pub(super) fn start(table: &Table) -> Result<Option<Polls>, super::StartError> {
    let scrapes = scrapes(table)?;
    if scrapes.is_empty() {
        return Ok(None);
    }
    let fleet = (Arc::clone(table.fleet()), table.start());
    Ok(Some(Polls::start(scrapes, table.engine_interval(), fleet, Arc::clone(table.engine_reads()))?))
}

/// The pages to read: one for each server, whatever number of deployments it has.
fn scrapes(table: &Table) -> Result<Vec<Scrape>, NotUsable> {
    let mut scrapes: Vec<Scrape> = Vec::new();
    for deployment in table.deployments() {
        let Some(kind) = deployment.engine else { continue };
        let page = page(deployment, scrapes.len())?;
        let followed = Followed { deployment: deployment.counted_as, kind, model: deployment.model.clone() };
        let known = scrapes
            .iter_mut()
            .find(|known| known.origin.is_same_address(&page.origin) && known.path == page.path);
        let scrape = match known {
            Some(known) => known,
            None => {
                scrapes.push(page);
                scrapes.last_mut().expect("one was pushed")
            }
        };
        if !scrape.followed.iter().any(|other| other.deployment == followed.deployment) {
            scrape.followed.push(followed);
        }
    }
    Ok(scrapes)
}

/// The page of a deployment's server: beside its API, not under it.
fn page(deployment: &Deployment, index: usize) -> Result<Scrape, NotUsable> {
    let base = deployment.api_base.trim_end_matches('/');
    let address = format!("{}/metrics", base.strip_suffix("/v1").unwrap_or(base));
    let unusable = |error: &dyn std::fmt::Display| NotUsable(format!("`{address}`: {error}"));
    let uri: http::Uri = address.parse().map_err(|error| unusable(&error))?;
    let origin = Origin::new(&uri, index, CONNECTIONS).map_err(|error| unusable(&error))?;
    let path = uri.path_and_query().cloned().ok_or_else(|| unusable(&"there is no path"))?;
    let mut headers = HeaderMap::new();
    deployment.add_headers(&mut headers);
    Ok(Scrape { origin: Arc::new(origin), path, headers, followed: Vec::new() })
}
