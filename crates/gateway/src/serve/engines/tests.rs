use super::*;
use crate::config::Deployment;

#[test]
fn entries_of_one_name_share_one_engine() {
    let deployments = ["simulated/ada", "hosted_vllm/ada", "simulated/blaise", "simulated/ada"]
        .map(|model| Deployment::new("chat", model))
        .to_vec();
    let engines = Engines::start(&Config { deployments, ..Config::default() }).expect("loopback has ports");
    let urls = engines.base_urls();
    assert_eq!(urls.len(), 3);
    assert_eq!(urls[&0], urls[&3]);
    assert_ne!(urls[&0], urls[&2]);
}
