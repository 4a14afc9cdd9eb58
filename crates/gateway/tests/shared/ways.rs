//! Every way to a Redis: two instances share their counts through each.

use super::redis_kit::{Certificates, Cluster, SERVICE, Sentinels, Server, free_port, information};
use super::script::{Upstream, answers, streams};
use super::{entry, fleet, through, turn, until};

/// Settings that lead through Sentinels.
pub(crate) fn through_sentinels(sentinels: &Sentinels, settings: &str) -> String {
    let nodes: Vec<_> =
        sentinels.sentinels.iter().map(|node| format!("[\"127.0.0.1\", {}]", node.port())).collect();
    format!(
        "shared_state: {{{settings}}}\n\
         litellm_settings:\n  cache: true\n  cache_params: {{type: redis, service_name: {SERVICE}, sentinel_nodes: [{}]}}\n",
        nodes.join(", ")
    )
}

/// Settings that lead to a Cluster.
pub(crate) fn through_cluster(cluster: &Cluster, settings: &str) -> String {
    let nodes: Vec<_> =
        cluster.nodes.iter().map(|node| format!("{{host: 127.0.0.1, port: {}}}", node.port())).collect();
    format!(
        "shared_state: {{{settings}}}\n\
         litellm_settings:\n  cache: true\n  cache_params: {{type: redis, redis_startup_nodes: [{}]}}\n",
        nodes.join(", ")
    )
}

/// Two instances with these settings see each other's counts come and go.
async fn share(name: &str, sharing: &str) {
    let held = Upstream::playing(streams().event("held").then_hangs()).await;
    let yaml = format!(
        "model_list:\n{}{sharing}general_settings: {{workers: 1}}\n",
        entry("m", "a", &held.base(), "")
    );
    let instances = fleet(2, &yaml).await;
    let mut streams = instances[0].opens_many("m", 3).await;
    let there =
        until("a count of the first at the second", async || instances[1].total("a").await == 3).await;
    streams.extend(instances[1].opens_many("m", 2).await);
    let back = until("a count of the second at the first", async || instances[0].total("a").await == 5).await;
    drop(streams);
    let gone =
        until("no count", async || instances[0].total("a").await + instances[1].total("a").await == 0).await;
    eprintln!("{name}: counts are there after {there:.0?} and {back:.0?}, and gone after {gone:.0?}");
    eprintln!("{name}: {}", instances[0].instances().await["shared_state"]["redis"]);
    for instance in &instances {
        instance.output().keeps("pw-of-a-test");
        assert!(!instance.instances().await.to_string().contains("pw-of-a-test"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_server_with_a_password() {
    let _turn = turn().await;
    let redis = Server::with(&["--requirepass", "pw-of-a-test"]).await;
    share("password", &through(redis.port(), "").replace("127.0.0.1", ":pw-of-a-test@127.0.0.1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_few_rights_and_a_database() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let acl = "ACL SETUSER gateway on >pw-of-a-test ~{leastbusy:team}:* +@all -@dangerous -@admin";
    redis.command(&acl.split(' ').collect::<Vec<_>>()).await;
    let sharing = format!(
        "router_settings: {{redis_host: 127.0.0.1, redis_port: {}, redis_username: gateway, redis_password: pw-of-a-test, \
         redis_db: 3}}\nshared_state: {{namespace: team}}\n",
        redis.port()
    );
    share("user, database, namespace", &sharing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_with_an_authority_of_ones_own() {
    let _turn = turn().await;
    let certificates = Certificates::new();
    let paths = [certificates.certificate(), certificates.key(), certificates.authority()];
    let [certificate, key, authority] = paths.each_ref().map(|path| path.to_str().unwrap());
    let port = free_port().to_string();
    let _redis = Server::with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        authority,
        "--tls-auth-clients",
        "yes",
    ])
    .await;
    let sharing = format!(
        "litellm_settings:\n  cache: true\n  cache_params: {{type: redis, url: \"rediss://127.0.0.1:{port}\", ssl_ca_certs: {authority}, \
         ssl_certfile: {certificate}, ssl_keyfile: {key}}}\n"
    );
    share("TLS both ways", &sharing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster() {
    let _turn = turn().await;
    let cluster = Cluster::start().await;
    share("Cluster", &through_cluster(&cluster, "")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels() {
    let _turn = turn().await;
    let sentinels = Sentinels::start().await;
    share("Sentinel", &through_sentinels(&sentinels, "")).await;
}

/// A rest that one instance begins is known to the other.
async fn rest_together(name: &str, sharing: &str) {
    let sick = Upstream::playing(answers(429).header("retry-after", "37").json("{}")).await;
    let well = Upstream::playing(answers(200).json("{}")).await;
    let models = entry("m", "a", &sick.base(), "order: 1") + &entry("m", "b", &well.base(), "order: 2");
    let instances =
        fleet(2, &format!("model_list:\n{models}{sharing}general_settings: {{workers: 1}}\n")).await;
    assert_eq!(instances[0].asks("m").await.served_by(), "b");
    let known = until("a rest", async || instances[1].state("a").await == "cooling_down").await;
    assert_eq!((instances[1].asks("m").await.served_by(), sick.requests()), ("b", 1));
    eprintln!("{name}: a rest is known to the other after {known:.0?}");
}

/// In strict mode the limit of a deployment is one for both.
async fn keep_a_limit_together(name: &str, sharing: &str) {
    let held = Upstream::playing(streams().event("held").then_hangs()).await;
    let model = entry("m", "a", &held.base(), "max_parallel_requests: 2");
    let router = "router_settings: {queue_timeout: 0.1}\ngeneral_settings: {workers: 1}\n";
    let instances = fleet(2, &format!("model_list:\n{model}{sharing}{router}")).await;
    let mut streams = instances[0].opens_many("m", 2).await;
    assert_eq!(instances[1].asks("m").await.status, 429);
    streams.pop();
    until("a place", async || instances[0].total("a").await == 1).await;
    streams.push(instances[1].opens("m").await);
    eprintln!("{name}: strictly two of 2 places are taken, and one that is given back is taken by the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey() {
    let _turn = turn().await;
    let Some(valkey) = Server::valkey().await else {
        eprintln!("Valkey was not run: TEST_VALKEY names none, and there is no valkey-server on the PATH");
        return;
    };
    let version = information(&valkey, "server", "valkey_version").await.unwrap();
    let name = format!("Valkey {version}");
    share(&name, &through(valkey.port(), "")).await;
    rest_together(&name, &through(valkey.port(), "namespace: rest")).await;
    keep_a_limit_together(&name, &through(valkey.port(), "namespace: strict, mode: strict")).await;
}
