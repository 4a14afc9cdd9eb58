use super::shared_state::{cache, coordination, router, settings, shared};
use super::*;

/// The Redis as logs show it, and what it is logged in to with.
fn redis(text: &str, variables: &[(&str, &str)]) -> String {
    let Some(SharedState { redis, .. }) = shared(text, variables) else { return "none".to_owned() };
    let user = redis.username.as_deref().unwrap_or("-");
    let password = redis.password.as_ref().map_or("-", Secret::expose);
    format!("{redis} as {user} {password}")
}

#[test]
fn litellms_places_name_the_redis() {
    for (text, expected) in [
        (MODEL_LIST.to_owned(), "none"),
        (router("redis_host: cache"), "cache:6379 as - -"),
        (router("redis_host: cache, redis_port: '7000', redis_password: pw"), "cache:7000 as - pw"),
        (
            router(
                "redis_host: cache, redis_port: 7000, redis_username: me, redis_password: pw, redis_db: 2",
            ),
            "cache:7000, database 2 as me pw",
        ),
        (router("redis_host: cache, redis_ssl: true"), "cache:6379, TLS as - -"),
        (router("redis_host: '::1'"), "[::1]:6379 as - -"),
        (router("redis_url: 'redis://me:pw@cache:7000/3'"), "cache:7000, database 3 as me pw"),
        (router("redis_url: 'rediss://:p%40w@cache'"), "cache:6379, TLS as - p@w"),
        (
            router("redis_url: 'redis://cache', redis_password: pw, redis_db: 1"),
            "cache:6379, database 1 as - pw",
        ),
        (router("redis_host: cache, cache_kwargs: {ssl: true, password: pw}"), "cache:6379, TLS as - pw"),
        (cache("type: redis, host: cache, port: 7000, password: pw, ttl: 60"), "cache:7000 as - pw"),
        (cache("host: cache"), "cache:6379 as - -"),
        (
            cache("type: redis, redis_startup_nodes: [{host: a, port: '7001'}, {host: b}], password: pw"),
            "cluster a:7001, b:6379 as - pw",
        ),
        (
            cache("type: redis, service_name: mymaster, sentinel_nodes: [[a, 26380], [b]], password: pw"),
            "mymaster of sentinels a:26380, b:26379 as - pw",
        ),
        (
            cache("type: redis, startup_nodes: ['a:7001', b, '[::1]:7002']"),
            "cluster a:7001, b:6379, [::1]:7002 as - -",
        ),
        (coordination("url: 'redis://cache'"), "cache:6379 as - -"),
        (coordination("startup_nodes: [{host: a, port: 7001}]"), "cluster a:7001 as - -"),
        (
            cache("type: redis, service_name: s, sentinel_nodes: ['::1', 'b:', '[::2]', ['c', 5]]"),
            "s of sentinels [::1]:26379, b:26379, [::2]:26379, c:5 as - -",
        ),
        (settings("shared_state: {redis_url: 'redis://cache'}"), "cache:6379 as - -"),
    ] {
        assert_eq!(redis(&text, &[]), expected, "{text}");
    }
}

#[test]
fn the_first_place_counts() {
    let places = [
        ("own", "shared_state: {redis_url: 'redis://own'}"),
        ("router", "router_settings: {redis_host: router}"),
        ("cache", "litellm_settings: {cache: true, cache_params: {type: redis, host: cache}}"),
        ("coordination", "general_settings: {coordination_redis: {host: coordination}}"),
        ("variable", "environment_variables: {REDIS_HOST: nobody}"),
    ];
    for from in 0..places.len() {
        let text = settings(&places[from..].iter().map(|(_, text)| *text).collect::<Vec<_>>().join("\n"));
        let variables = [("REDIS_URL", "redis://variable")];
        assert_eq!(redis(&text, &variables), format!("{}:6379 as - -", places[from].0));
    }
}

#[test]
fn variables_alone_switch_sharing_on() {
    for (variables, expected) in [
        (&[("REDIS_URL", "redis://:pw@cache:7000/1")][..], "cache:7000, database 1 as - pw"),
        (
            &[("REDIS_HOST", "cache"), ("REDIS_PORT", "7000"), ("REDIS_PASSWORD", "pw\n")],
            "cache:7000 as - pw",
        ),
        (
            &[("REDIS_HOST", "cache"), ("REDIS_SSL", "True"), ("REDIS_DB", "2")],
            "cache:6379, database 2, TLS as - -",
        ),
        (&[("REDIS_CLUSTER_NODES", r#"[{"host": "a", "port": "7001"}]"#)], "cluster a:7001 as - -"),
        (
            &[
                ("REDIS_SENTINEL_NODES", r#"[["a", 26379]]"#),
                ("REDIS_SERVICE_NAME", "main"),
                ("REDIS_USERNAME", "me"),
                ("REDIS_PASSWORD", "pw"),
            ],
            "main of sentinels a:26379 as me pw",
        ),
        (
            &[("REDIS_PORT", "6379"), ("REDIS_PASSWORD", "pw"), ("REDIS_SSL", "true"), ("REDIS_DB", "x")],
            "none",
        ),
        (&[("REDIS_URL", " "), ("REDIS_HOST", "")], "none"),
    ] {
        assert_eq!(redis(MODEL_LIST, variables), expected, "{variables:?}");
    }
}

#[test]
fn variables_complete_what_the_file_leaves_out() {
    let variables = [("REDIS_PASSWORD", "pw"), ("REDIS_PORT", "7000"), ("REDIS_HOST", "other")];
    assert_eq!(redis(&router("redis_host: cache"), &variables), "cache:7000 as - pw");
    assert_eq!(redis(&router("redis_host: cache, redis_password: own"), &variables), "cache:7000 as - own");
    assert_eq!(redis(&router("redis_url: 'redis://cache'"), &variables), "cache:6379 as - pw");
    // What the file says besides the address goes before the other variables.
    assert_eq!(redis(&cache("type: redis, password: own"), &variables), "other:7000 as - own");
    let nodes = [("NODES", r#"[{"host": "a"}]"#)];
    assert_eq!(redis(&cache("redis_startup_nodes: os.environ/NODES"), &nodes), "cluster a:6379 as - -");
    let own = settings("environment_variables: {REDIS_HOST: cache, REDIS_PORT: 7000}");
    assert_eq!(redis(&own, &[]), "cache:7000 as - -");
}

#[test]
fn a_port_that_kubernetes_sets_is_no_port() {
    let injected = [("REDIS_HOST", "redis"), ("REDIS_PORT", "tcp://10.0.0.1:6379")];
    let warning = "REDIS_PORT holds an address, as Kubernetes sets it for a Service named redis, and no port; 6379 is taken / write the port into the file, or set `enableServiceLinks: false` in the pod and the variable yourself";
    let loaded = read_with(MODEL_LIST, &injected);
    assert_eq!(brief(&loaded.warnings), [format!("environment variable REDIS_PORT {warning}")]);
    assert_eq!(redis(MODEL_LIST, &injected), "redis:6379 as - -");
    let named = router("redis_host: cache, redis_port: os.environ/REDIS_PORT");
    assert_eq!(brief(&read_with(&named, &injected).warnings), [format!("4:50 {warning}")]);
    // Where nobody reads it, nothing is said.
    assert_eq!(read_with(&router("redis_url: 'redis://cache'"), &injected).warnings, []);
    assert_eq!(read_with(MODEL_LIST, &injected[1..]).warnings, []);
}

#[test]
fn tls_is_as_it_is_written() {
    let tls = |text: &str, variables: &[(&str, &str)]| shared(text, variables).unwrap().redis.tls;
    let file = |name: &str| Some(name.into());
    let files = "ssl: true, ssl_ca_certs: ca.pem, ssl_certfile: me.pem, ssl_keyfile: me.key";
    let all = RedisTls {
        ca_file: file("ca.pem"),
        cert_file: file("me.pem"),
        key_file: file("me.key"),
        insecure: false,
    };
    assert_eq!(tls(&cache(&format!("host: cache, {files}")), &[]), Some(all.clone()));
    let url = "redis_url: 'rediss://cache?ssl_ca_certs=ca.pem&ssl_certfile=me.pem&ssl_keyfile=me.key'";
    assert_eq!(tls(&router(url), &[]), Some(all));
    let insecure = Some(RedisTls { insecure: true, ..RedisTls::default() });
    for text in [
        router("redis_url: 'rediss://cache?ssl_cert_reqs=none'"),
        cache("host: cache, ssl: true, ssl_cert_reqs: None"),
    ] {
        assert_eq!(tls(&text, &[]), insecure, "{text}");
        assert!(warnings(&text).iter().any(|warning| warning.contains("is not checked")), "{text}");
    }
    let variables = [("REDIS_SSL", "true"), ("REDIS_SSL_CA_CERTS", "ca.pem")];
    let with_ca = Some(RedisTls { ca_file: file("ca.pem"), ..RedisTls::default() });
    assert_eq!(tls(&router("redis_host: cache"), &variables), with_ca);
    assert_eq!(tls(&router("redis_url: 'redis://cache'"), &variables), None);
    assert_eq!(
        warnings(&coordination("host: cache, ssl_ca_certs: ca.pem")),
        [
            "4:68 the connection is without TLS, so this says nothing / add `ssl: true` (REDIS_SSL), or begin the URL with rediss://"
        ]
    );
}

#[test]
fn what_a_url_says_of_checks_and_of_the_database_goes_before_what_other_places_say() {
    let insecure =
        |text: &str, variables: &[(&str, &str)]| shared(text, variables).unwrap().redis.tls.unwrap().insecure;
    for (said, variable, expected) in [
        ("?ssl_cert_reqs=required", "none", false),
        ("?ssl_cert_reqs=CERT_OPTIONAL", "none", false),
        ("?ssl_cert_reqs=none", "required", true),
        ("?ssl_cert_reqs=required&ssl_cert_reqs=none", "none", false),
        ("?ssl_cert_reqs=none&ssl_cert_reqs=required", "none", false),
        ("", "none", true),
        ("", "required", false),
    ] {
        let text = router(&format!("redis_url: 'rediss://cache{said}'"));
        let variables = [("REDIS_SSL_CERT_REQS", variable)];
        assert_eq!(insecure(&text, &variables), expected, "{said} and {variable}");
        let warned = read_with(&text, &variables).warnings;
        assert_eq!(brief(&warned).iter().any(|told| told.contains("not checked")), expected, "{warned:?}");
    }
    let agreed = cache("url: 'rediss://cache?ssl_cert_reqs=required', ssl_cert_reqs: required");
    assert!(!insecure(&agreed, &[("REDIS_SSL_CERT_REQS", "none")]));
    for (url, expected) in [
        ("redis://cache", "cache:6379, database 2 as - -"),
        ("redis://cache/", "cache:6379, database 2 as - -"),
        ("redis://cache/0", "cache:6379 as - -"),
        ("redis://cache?db=0", "cache:6379 as - -"),
    ] {
        assert_eq!(redis(&router(&format!("redis_url: '{url}'")), &[("REDIS_DB", "2")]), expected, "{url}");
    }
}

#[test]
fn what_no_redis_can_be_reached_with_is_a_mistake() {
    for (text, expected) in [
        (router("redis_host: ''"), "4:31 the host is empty / name the host of the Redis, or remove the key"),
        (
            router("redis_host: 'redis://cache'"),
            "4:31 a host is a name or an address, not a URL / write the URL under `redis_url` in router_settings, under `url` elsewhere",
        ),
        (
            router("redis_host: 'cache:7000'"),
            "4:31 a host has no port in it / write the port under a key of its own",
        ),
        (
            router("redis_host: 'a b'"),
            "4:31 the host has characters that no host has / write a name or an address",
        ),
        (router("redis_host: a, redis_port: 0"), "4:46 a port is 1 to 65535 / write the port of the Redis"),
        (router("redis_host: a, redis_port: x"), "4:46 expected a port, 1 to 65535, found the text `x` / -"),
        (
            router("redis_host: a, redis_db: -1"),
            "4:44 out of range: 0 to 2147483647 / choose a number in that range, 0 as a rule",
        ),
        (
            router("redis_host: a, redis_username: me"),
            "4:50 there is a user without a password / add the password; in a URL a password without a user is written `redis://:PASSWORD@HOST`",
        ),
        (
            router("redis_url: 'http://cache'"),
            "4:30 the URL of a Redis begins with redis:// or rediss:// / write `redis://HOST:PORT`, or `rediss://HOST:PORT` for TLS",
        ),
        (router("redis_url: 'redis://'"), "4:30 the URL names no host / write `redis://HOST:PORT`"),
        (
            router("redis_url: 'redis://cache:6379/x'"),
            "4:30 the URL has a database that is not a whole number / write its number: `redis://HOST:PORT/0`",
        ),
        (
            router("redis_url: 'redis://cache', redis_ssl: true"),
            "4:58 the URL begins with redis://, which is without TLS / begin it with rediss://, or remove this",
        ),
        (
            cache("startup_nodes: [{host: a}], db: 1"),
            "6:50 a cluster has no other database than 0 / remove it",
        ),
        (
            cache("startup_nodes: []"),
            "6:18 there is no node in it / name at least one, as `[{host: HOST, port: PORT}]`",
        ),
        (
            cache("sentinel_nodes: [[a, 1]]"),
            "6:18 sentinels are asked for a service, and none is named / add `service_name: NAME` (REDIS_SERVICE_NAME), the name in the sentinels' `sentinel monitor` line",
        ),
        (
            cache("startup_nodes: nodes"),
            "6:33 this is not a JSON list of nodes / write `[{\"host\": \"HOST\", \"port\": 6379}]`",
        ),
        (
            cache("startup_nodes: [{hots: a}]"),
            "6:35 `hots` is not a key of a node of a Redis / did you mean `host`?",
        ),
        (
            cache("host: a, pasword: x"),
            "6:27 `pasword` is not a key of the settings of a Redis / did you mean `password`?",
        ),
        (
            cache("service_name: s, sentinel_nodes: [[a, 26379, 5]]"),
            "6:52 this is not a host and a port / write `{host: HOST, port: PORT}`, or `HOST:PORT`",
        ),
        (
            cache("startup_nodes: [[]]"),
            "6:34 this is not a host and a port / write `{host: HOST, port: PORT}`, or `HOST:PORT`",
        ),
        (
            cache("startup_nodes: ['a:x']"),
            "6:34 this is not a node / write `{host: HOST, port: PORT}`, or `HOST:PORT`",
        ),
        (
            cache("url: 'rediss://a?ssl_cert_reqs=none', ssl_cert_reqs: required"),
            "6:71 the URL beside it says the opposite in its own `ssl_cert_reqs` / remove one of the two",
        ),
        (
            cache("url: 'rediss://a?ssl_cert_reqs=required', ssl_cert_reqs: none"),
            "6:75 the URL beside it says the opposite in its own `ssl_cert_reqs` / remove one of the two",
        ),
        (cache("type: redsi, host: a"), "6:24 `redsi` is not a type of cache / did you mean `redis`?"),
        (
            cache("host: a, ssl: true, ssl_certfile: me.pem"),
            "6:52 a client certificate needs its key, and a key its certificate / give both `ssl_certfile` and `ssl_keyfile`, or neither",
        ),
        (
            cache("host: a, ssl: true, ssl_cert_reqs: some"),
            "6:53 this is neither `required` nor `none` / write `required`, or `none` to take any certificate",
        ),
        (
            cache("host: a, namespace: 'a{b}'"),
            "6:38 a namespace has 1 to 128 printable ASCII characters, no spaces and no braces / choose another name, or remove it",
        ),
    ] {
        assert_eq!(mistakes(&text), [expected], "{text}");
    }
    let many = settings(
        "router_settings: {redis_host: '', redis_port: 0, redis_db: x}\nshared_state: {interval: 11, mode: stirct, reqired: true}",
    );
    assert_eq!(mistakes(&many).len(), 5, "{:#?}", mistakes(&many));
}

#[test]
fn wrong_variables_are_told_by_their_name() {
    for (name, value, expected) in [
        ("REDIS_URL", "hunter2", "the URL of a Redis begins with"),
        ("REDIS_CLUSTER_NODES", "hunter2", "this is not a JSON list of nodes"),
        ("REDIS_CLUSTER_NODES", "[{\"port\": 1}]", "the host is empty"),
        ("REDIS_HOST", "hunter2 x", "the host has characters that no host has"),
    ] {
        let error = refused_with(MODEL_LIST, &[(name, value)]);
        let found = brief(&error.mistakes);
        assert!(found[0].starts_with(&format!("environment variable {name} {expected}")), "{found:?}");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    let ports =
        refused_with(MODEL_LIST, &[("REDIS_HOST", "a"), ("REDIS_PORT", "hunter2"), ("REDIS_SSL", "maybe")]);
    assert_eq!(
        brief(&ports.mistakes),
        [
            "environment variable REDIS_PORT expected a port, 1 to 65535, found a text / -",
            "environment variable REDIS_SSL expected `true` or `false`, found a text / -",
        ]
    );
    let own = settings("environment_variables: {REDIS_URL: hunter2}");
    assert!(mistakes(&own)[0].starts_with("4:36 the URL of a Redis begins"), "{:?}", mistakes(&own));
}

#[test]
fn odd_things_give_a_warning() {
    for (text, expected) in [
        (
            router("redis_url: 'redis://a', redis_host: b"),
            "4:43 `redis_url` stands beside it and goes before it / remove one of the two",
        ),
        (
            cache("host: a").replace("  cache: true\n", ""),
            "5:3 `cache` is not true, so this Redis is not used / write `cache: true` beside it, as for LiteLLM, or remove it",
        ),
        (
            router("redis_url: 'rediss://a', redis_ssl: false"),
            "4:55 the URL begins with rediss://, so this says nothing / remove it, or begin the URL with redis://",
        ),
        (
            settings("shared_state: {interval: 1}"),
            "4:1 there is no Redis to share anything through, so nothing is shared / name one: `redis_url` here, `redis_host` in router_settings, or the environment variable REDIS_URL",
        ),
        (
            coordination("host: a, ssl: true, ssl_check_hostname: false"),
            "4:81 the name in the certificate is checked all the same / remove it; `ssl_cert_reqs: none` checks nothing at all",
        ),
        (
            coordination("host: a, aws_iam: true"),
            "4:50 `aws_iam` is known to LiteLLM; leastbusy does not serve it yet / -",
        ),
    ] {
        assert_eq!(warnings(&text), [expected], "{text}");
    }
    // Answers are not cached, and who asks for that alone is told.
    let cached = |kind: &str| warnings(&cache(&format!("type: {kind}, host: a, s3_bucket_name: b")));
    assert_eq!(
        cached("s3"),
        [
            "5:3 `cache` is known to LiteLLM; leastbusy does not serve it yet / -",
            "6:3 `cache_params` is known to LiteLLM; leastbusy does not serve it yet / -"
        ]
    );
    let redis = "type: redis, host: a, ttl: 5, supported_call_types: [], max_connections: 9";
    assert_eq!(warnings(&cache(redis)), Vec::<String>::new());
    let told = "4:20 `cache` is known to LiteLLM; leastbusy does not serve it yet / -";
    assert_eq!(warnings(&settings("litellm_settings: {cache: true}")), [told]);
    assert_eq!(warnings(&settings("litellm_settings: {cache: false}")), Vec::<String>::new());
}

#[test]
fn a_configuration_made_in_code_is_checked_too() {
    let mut config = read(MODEL_LIST).config;
    config.shared_state = Some(SharedState::through(Redis::new(Topology::Cluster { nodes: Vec::new() })));
    assert_eq!(
        config.check()[0].to_string(),
        "shared_state.redis.startup_nodes: there is no node in it\n  name at least one, as `[{host: HOST, port: PORT}]`"
    );
    let sentinels = Topology::Sentinel {
        nodes: vec![RedisNode::new("a", 0)],
        service: String::new(),
        username: Some("me".into()),
        password: None,
    };
    let redis = Redis { database: -1, username: Some("me".into()), ..Redis::new(sentinels) };
    let namespace = "a b".to_owned();
    config.shared_state = Some(SharedState { namespace, ..SharedState::through(redis) });
    assert_eq!(config.check().len(), 6, "{:#?}", config.check());
}

#[test]
fn urls_are_read_as_pythons_client_reads_them() {
    for (url, expected) in [
        ("redis://cache", Ok("cache:6379")),
        ("REDIS://cache:7000/", Ok("cache:7000")),
        ("rediss://user:p%2Fw%@cache:7000/15", Ok("cache:7000, database 15, TLS")),
        ("redis://:a@b@[::1]:7000?db=3&timeout=x", Ok("[::1]:7000, database 3")),
        ("redis://%20@cache#x", Ok("cache:6379")),
        ("cache:6379", Err(BadUrl::Scheme)),
        ("unix:///run/redis.sock", Err(BadUrl::Scheme)),
        ("redis://:pw@:6379", Err(BadUrl::NoHost)),
        ("redis://:p/w@cache:6379", Err(BadUrl::NoHost)),
        ("redis://me:p/w@cache:6379", Err(BadUrl::Port)),
        ("redis://a b", Err(BadUrl::Host)),
        ("redis://cache:0", Err(BadUrl::Port)),
        ("redis://cache:65536", Err(BadUrl::Port)),
        ("redis://cache/-1", Err(BadUrl::Database)),
        ("redis://:%ff@cache", Err(BadUrl::Encoding)),
        ("rediss://cache?ssl_cert_reqs=some", Err(BadUrl::Option)),
    ] {
        let found = Redis::from_url(url).map(|redis| redis.to_string());
        assert_eq!(found.as_deref().map_err(|bad| *bad), expected, "{url}");
    }
    let password = |url| Redis::from_url(url).unwrap().password.map(|text| text.expose().to_owned());
    assert_eq!(password("redis://user:p%2Fw%25%@cache").as_deref(), Some("p/w%%"));
    assert_eq!(password("redis://user@cache"), None);
}

#[test]
fn no_redis_shows_its_password() {
    let sources = [
        router("redis_host: cache, redis_username: me, redis_password: hunter2"),
        router("redis_url: 'redis://me:hunter2@cache'"),
        router("redis_host: cache, cache_kwargs: {password: hunter2}"),
        cache("host: cache, password: hunter2"),
        cache("sentinel_nodes: [[a, 1]], service_name: m, sentinel_password: hunter2"),
        coordination("url: 'redis://:hunter2@cache'"),
        settings("shared_state: {redis_url: 'redis://:hunter2@cache'}"),
    ];
    for text in sources {
        let loaded = read(&text);
        let shared = loaded.config.shared_state.as_ref().unwrap();
        assert!(!format!("{loaded:?} {shared:?} {}", shared.redis).contains("hunter2"), "{text}");
        for (from, to) in [
            ("cache", "'c c'"),
            ("hunter2", "hunter2, x: 1"),
            ("hunter2", "{hunter2}"),
            ("hunter2", "[hunter2]"),
            ("password", "pasword"),
            ("redis://", "http://"),
            ("@", "/@"),
            ("_settings", "_setings"),
            ("_state", "_stat"),
        ] {
            let text = text.replace(from, to);
            if let Err(error) = parse("config.yaml", &text, &Environment::empty()) {
                assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}\n{error}");
            }
        }
    }
}
