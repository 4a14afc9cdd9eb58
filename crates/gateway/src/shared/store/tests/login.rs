//! Passwords, users, databases and TLS.

use crate::config::{RedisTls, Secret};

use super::*;
use crate::shared::redis_kit::{Certificates, free_port};

fn secret(password: &str) -> Option<Secret> {
    Some(Secret::new(password))
}

fn store_with(port: u16, change: impl FnOnce(&mut Redis)) -> Store {
    let mut target = target(Topology::Standalone(node(port)));
    change(&mut target.redis);
    Store::new(target).unwrap()
}

#[tokio::test]
async fn a_password_must_be_the_right_one() {
    let server = Server::with(&["--requirepass", "open-sesame"]).await;
    let right = secret("open-sesame");
    exchanges(&mut store_with(server.port(), |redis| redis.password = right.clone()), "v").await.unwrap();

    for password in [secret("open-barley"), None] {
        let mut store = store_with(server.port(), |redis| redis.password = password);
        let (kind, took, text) = fails(&mut store).await;
        eprintln!("{took:?}: {text}");
        assert_eq!(kind, "authentication");
        for secret in ["open-sesame", "open-barley"] {
            assert!(!text.contains(secret) && !format!("{store:?}").contains(secret));
        }
        assert_eq!(store.counters().connections, 0);
    }
    let open = Server::start().await;
    let (kind, _, text) = fails(&mut store_with(open.port(), |redis| redis.password = right)).await;
    assert_eq!(kind, "authentication", "a password for a server without one: {text}");
}

#[tokio::test]
async fn a_server_with_too_many_clients_is_not_taken_for_one_that_refuses_the_password() {
    let server = Server::with(&["--requirepass", "pw", "--maxclients", "1"]).await;
    let mut stores = [(); 2].map(|()| store_with(server.port(), |redis| redis.password = secret("pw")));
    // The server may not have noticed yet that the connection of this test's scenery is gone.
    recovers(&mut stores[0]).await;
    let (kind, _, text) = fails(&mut stores[1]).await;
    assert_eq!(kind, "disconnected", "{text}");
    assert!(text.contains("maxclients"), "{text}");
}

#[tokio::test]
async fn a_user_has_its_own_keys_and_a_database_its_own_values() {
    let server = Server::start().await;
    let acl = "ACL SETUSER gateway on >pw ~{leastbusy:test}:* +set +mget +select +exists";
    server.command(&acl.split(' ').collect::<Vec<_>>()).await;
    let mut store = store_with(server.port(), |redis| {
        redis.username = Some("gateway".to_owned());
        redis.password = secret("pw");
        redis.database = 3;
    });
    exchanges(&mut store, "v").await.unwrap();
    assert_eq!(server.command(&["EXISTS", KEY]).await, Value::Int(0));
    let mut batch = Batch::new();
    batch.command("SET").arg("somebody else's").arg("v");
    let error = store.run(&batch).await.unwrap_err();
    assert_eq!(error.kind(), "forbidden", "{error}");

    let mut store = store_with(server.port(), |redis| redis.database = 99);
    assert_eq!(fails(&mut store).await.0, "database");
}

#[tokio::test]
async fn tls_trusts_only_whom_it_is_told_to() {
    let certificates = Certificates::new();
    let paths = [certificates.certificate(), certificates.key(), certificates.authority()];
    let [certificate, key, authority] = paths.each_ref().map(|path| path.to_str().unwrap());
    let (open, closed) = (free_port().to_string(), free_port().to_string());
    let tls = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority];
    let with = |port, clients| [&["--tls-port", port, "--tls-auth-clients", clients], &tls[..]].concat();
    let server = Server::with(&with(&open, "no")).await;
    let _strict = Server::with(&with(&closed, "yes")).await;
    let (open, closed) = (open.parse().unwrap(), closed.parse().unwrap());
    let store = |port, tls| store_with(port, |redis| redis.tls = Some(tls));

    let ours = RedisTls { ca_file: Some(certificates.authority()), ..RedisTls::default() };
    let mut trusting = store(open, ours.clone());
    let began = Instant::now();
    exchanges(&mut trusting, "v").await.unwrap();
    eprintln!("first exchange through TLS {:?}", began.elapsed());
    exchanges(&mut trusting, "w").await.unwrap();

    let others = Certificates::new();
    let strangers = RedisTls { ca_file: Some(others.authority()), ..RedisTls::default() };
    for tls in [strangers, RedisTls::default()] {
        let (kind, took, text) = fails(&mut store(open, tls)).await;
        eprintln!("{took:?}: {text}");
        assert_eq!(kind, "tls");
    }
    let anyone = RedisTls { insecure: true, ..RedisTls::default() };
    exchanges(&mut store(open, anyone), "v").await.unwrap();

    let with_certificate = RedisTls {
        cert_file: Some(certificates.certificate()),
        key_file: Some(certificates.key()),
        ..ours.clone()
    };
    exchanges(&mut store(closed, with_certificate), "v").await.unwrap();
    let (kind, _, text) = fails(&mut store(closed, ours.clone())).await;
    assert!(["tls", "disconnected"].contains(&kind), "{text}");

    // Redis waits for the end of what looks like a line, unless there is one among the random bytes of the handshake.
    let mut no_tls = impatient(Topology::Standalone(node(server.port())));
    no_tls.redis.tls = Some(ours);
    let (kind, _, text) = fails(&mut Store::new(no_tls).unwrap()).await;
    assert!(["connect_timeout", "tls"].contains(&kind), "TLS to a port without it: {text}");
    let (kind, _, text) = fails(&mut store_at(open)).await;
    assert!(["disconnected", "protocol"].contains(&kind), "no TLS to a port with it: {text}");
}

#[test]
fn what_can_never_work_is_told_at_once() {
    let certificates = Certificates::new();
    let refused = |tls: RedisTls| {
        let mut target = target(Topology::Standalone(node(1)));
        target.redis.tls = Some(tls);
        let error = Store::new(target).unwrap_err();
        assert_eq!(error.kind(), "tls", "{error}");
        error.to_string()
    };
    let missing = certificates.folder().join("missing.pem");
    let text = refused(RedisTls { ca_file: Some(missing), ..RedisTls::default() });
    assert!(text.contains("missing.pem"), "{text}");
    let text = refused(RedisTls { ca_file: Some(certificates.key()), ..RedisTls::default() });
    assert!(text.contains("key.pem"), "{text}");
    let text = refused(RedisTls { cert_file: Some(certificates.certificate()), ..RedisTls::default() });
    assert!(text.contains("both"), "{text}");
    let error = Store::new(target(Topology::Cluster { nodes: Vec::new() })).unwrap_err();
    assert_eq!(error.kind(), "no_node");
}
