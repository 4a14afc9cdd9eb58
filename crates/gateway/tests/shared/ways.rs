//! Every way to a Redis: two instances share their counts through each.

use std::process::{Child, Command, Stdio};

use super::redis_kit::{Certificates, Cluster, SERVICE, Sentinels, Server, free_port};
use super::script::{Upstream, streams};
use super::{entry, fleet, through, until};

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
    let redis = Server::with(&["--requirepass", "pw-of-a-test"]).await;
    share("password", &through(redis.port(), "").replace("127.0.0.1", ":pw-of-a-test@127.0.0.1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_few_rights_and_a_database() {
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
    let cluster = Cluster::start().await;
    share("Cluster", &through_cluster(&cluster, "")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels() {
    let sentinels = Sentinels::start().await;
    share("Sentinel", &through_sentinels(&sentinels, "")).await;
}

/// Killed when the test forgets it.
struct Valkey(Child);

impl Drop for Valkey {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey() {
    let port = free_port();
    let mut command = Command::new("valkey-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(child) = command.spawn() else {
        eprintln!("skipped: there is no valkey-server on the PATH");
        return;
    };
    let _valkey = Valkey(child);
    share("Valkey", &through(port, "")).await;
}
