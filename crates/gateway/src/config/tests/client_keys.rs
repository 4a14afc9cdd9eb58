use std::time::{Duration, UNIX_EPOCH};

use super::*;

/// SHA-256 of `sk-of-a-test`, from `sha256sum`.
const HASH: &str = "ffb1731249d293d586e1515f6fa41d2da846aa23a032c198043d192f18f2caf5";
const KEY: &str = "sk-of-a-test";

fn with_keys(keys: &str) -> String {
    format!("{MODEL_LIST}keys:\n{keys}")
}

#[test]
fn a_key_is_read_with_litellms_names() {
    let text = with_keys(&format!(
        "- key_alias: team-a\n  key_hash: sha256:{HASH}\n  models: [chat]\n  rpm_limit: 60\n  tpm_limit: 90000\n  \
         max_parallel_requests: 4\n  expires: 2027-01-31T18:00:00Z\n  blocked: true\n  admin: true\n  metadata: {{team: a}}\n\
         - {{key_alias: team-b, key: os.environ/TEAM_B, expires: 2027-01-31}}\n"
    ));
    let loaded = read_with(&text, &[("TEAM_B", "sk-of-team-b")]);
    assert_eq!(loaded.warnings, []);
    let hash = KeyHash::of(KEY.as_bytes());
    let first = ClientKey {
        models: vec!["chat".into()],
        rpm_limit: Some(60),
        tpm_limit: Some(90_000),
        max_parallel_requests: Some(4),
        expires: Some(UNIX_EPOCH + Duration::from_secs(1_801_418_400)),
        blocked: true,
        admin: true,
        ..ClientKey::new("team-a", hash)
    };
    let second = ClientKey {
        expires: Some(UNIX_EPOCH + Duration::from_secs(1_801_353_600)),
        ..ClientKey::new("team-b", KeyHash::of(b"sk-of-team-b"))
    };
    assert_eq!(loaded.config.keys, [first, second]);
    assert!(loaded.config.wants_key());
    assert!(
        !format!("{:?}", loaded.config).contains("sk-of") && !format!("{:?}", loaded.config).contains(HASH)
    );
}

#[test]
fn a_hash_is_read_as_it_is_written() {
    let hash = KeyHash::of(KEY.as_bytes());
    assert_eq!(hash.to_text(), format!("sha256:{HASH}"));
    for text in [HASH.to_owned(), hash.to_text(), HASH.to_uppercase(), format!(" {HASH} ")] {
        assert_eq!(KeyHash::parse(&text), Some(hash), "{text}");
    }
    for text in
        ["", "sha256:", KEY, &HASH[1..], &format!("{HASH}0"), &HASH.replace('a', "g"), &"é".repeat(32)]
    {
        assert_eq!(KeyHash::parse(text), None, "{text}");
    }
}

#[test]
fn what_is_wrong_with_keys_is_said_with_the_way_out() {
    let hash = format!("sha256:{HASH}");
    for (entry, expected) in [
        (
            "{key_hash: HASH}",
            "a key needs a `key_alias` / give it a short name of its own, e.g. that of the team that uses it",
        ),
        (
            "{key_alias: sk-abcdefgh, key_hash: HASH}",
            "the `key_alias` looks like a key, and names are shown / give it a short name of its own, e.g. that of the team that uses it",
        ),
        (
            "{key_alias: a}",
            "there is no key: `key_hash` is not set / `leastbusy key new` makes a key, `leastbusy key hash` takes one",
        ),
        (
            "{key_alias: a, key_hash: sk-of-a-test}",
            "a hash is `sha256:` and 64 hexadecimal digits / `leastbusy key hash` makes one of a key",
        ),
        (
            "{key_alias: a, key_hash: HASH, key: x}",
            "`key` and `key_hash` are both set / keep `key_hash` alone",
        ),
        (
            "{key_alias: a, key_hash: HASH, rpm_limit: 0}",
            "0 is not between 1 and 1000000000 / choose a number in that range",
        ),
        (
            "{key_alias: a, key_hash: HASH, duration: 30d}",
            "a duration does not say when it begins / write the day as `expires: 2027-01-31`",
        ),
        (
            "{key_alias: a, key_hash: HASH, expires: soon}",
            "this is neither a day nor a day with a time / write `2027-01-31` or `2027-01-31T18:00:00Z`",
        ),
        (
            "{key_alias: a, key_hash: HASH, expires: 9999-12-31}",
            "an end lies in the years 1700 to 2250 / remove it from a key that is not to expire",
        ),
        (
            "{key_alias: a, key_hash: HASH, rpm_limt: 5}",
            "`rpm_limt` is not a key of keys[] / did you mean `rpm_limit`?",
        ),
    ] {
        let text = with_keys(&format!("- {}\n", entry.replace("HASH", &hash)));
        let said = refused(&text);
        assert!(brief(&said.mistakes).iter().any(|one| one.ends_with(expected)), "{entry}: {said}");
        assert!(!said.to_string().contains(KEY), "{said}");
    }
}

/// What is wrong with a key of this name and hash that has these settings, too.
fn wrong_with(settings: &str) -> Vec<String> {
    mistakes(&with_keys(&format!("- {{key_alias: a, key_hash: {HASH}, {settings}}}\n")))
}

#[test]
fn a_bound_that_is_not_there_never_opens_a_key() {
    let way_out = "set the variable, or remove the setting";
    for setting in [
        "models: [chat, os.environ/UNSET]",
        "models: os.environ/UNSET",
        "expires: os.environ/UNSET",
        "blocked: os.environ/UNSET",
        "rpm_limit: os.environ/UNSET",
        "tpm_limit: os.environ/UNSET",
        "max_parallel_requests: os.environ/UNSET",
    ] {
        let said = wrong_with(setting);
        assert_eq!(said.len(), 1, "{setting}: {said:?}");
        let expected = "the environment variable `UNSET` is not set, and without it the key would open more";
        assert!(said[0].ends_with(&format!("{expected} / {way_out}")), "{setting}: {said:?}");
    }
    for setting in ["models: [chat, ~]", "models: [null]", "models: ", "expires: null", "blocked: ~"] {
        let said = wrong_with(setting);
        assert_eq!(said.len(), 1, "{setting}: {said:?}");
        assert!(
            said[0].contains("nothing is written here, and without it the key would open more"),
            "{said:?}"
        );
    }
    let loaded =
        read(&with_keys(&format!("- {{key_alias: a, key_hash: {HASH}, duration: null, models: []}}\n")));
    assert_eq!(brief(&loaded.warnings), [""; 0]);
    assert!(loaded.config.keys[0].is_for_all_models());
}

#[test]
fn the_master_key_is_no_clients_key() {
    let general = |key: &str| {
        format!("general_settings: {{master_key: os.environ/MASTER}}\nkeys:\n- {{key_alias: a, {key}}}\n")
    };
    for key in [format!("key_hash: {HASH}"), "key: os.environ/MASTER".to_owned()] {
        let text = format!("{MODEL_LIST}{}", general(&key));
        let variables = [("MASTER", KEY)].into_iter().collect();
        let said = parse("config.yaml", &text, &variables).unwrap_err().to_string();
        assert!(
            said.contains("this is the master key, so that none of what is written here would hold"),
            "{said}"
        );
        assert!(!said.contains(KEY), "{said}");
    }
}

#[test]
fn two_keys_have_two_names_and_two_hashes() {
    let other = KeyHash::of(b"sk-other").to_text();
    let text = with_keys(&format!(
        "- {{key_alias: a, key_hash: {HASH}}}\n- {{key_alias: a, key_hash: {other}}}\n- {{key_alias: b, key_hash: {HASH}}}\n"
    ));
    let said = refused(&text).to_string();
    assert!(said.contains("the name `a` is also that of keys[0] (config.yaml:5)"), "{said}");
    assert!(said.contains("this is the same key as keys[0] (config.yaml:5)"), "{said}");
}

#[test]
fn what_may_not_do_what_was_meant_is_a_warning() {
    let text = with_keys(&format!(
        "- {{key_alias: a, key: {KEY}}}\n- {{key_alias: b, key: os.environ/WEAK}}\n\
         - {{key_alias: c, key_hash: {HASH}0, max_budget: 10}}\n"
    ));
    let text = text.replace(&format!("{HASH}0"), &KeyHash::of(b"sk-c").to_text());
    let text =
        text.replace("max_budget: 10", "max_budget: 10, models: [chat, chta, 'x/*', all-proxy-models]");
    let loaded = read_with(&text, &[("WEAK", "sk-1234")]);
    assert_eq!(
        loaded.warnings.iter().map(|warning| warning.what.as_str()).collect::<Vec<_>>(),
        [
            "the key itself stands in the file",
            "the key is one that anybody would try",
            "`max_budget` is known to LiteLLM; leastbusy does not serve it yet",
            "there is no model group `chta`",
        ]
    );
    assert!(!format!("{:?}", loaded.warnings).contains(KEY));
}

/// A folder with a configuration that names a keys file, and the keys file.
fn folder(keys: &str) -> (tempfile::TempDir, LoadResult) {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "{MODEL_LIST}general_settings: {{keys_file: keys.yaml}}\nkeys:\n- {{key_alias: a, key_hash: {HASH}}}\n"
    );
    std::fs::write(folder.path().join("config.yaml"), config).unwrap();
    std::fs::write(folder.path().join("keys.yaml"), keys).unwrap();
    let variables = [("TEAM_B", "sk-of-team-b")].into_iter().collect();
    let loaded = load(&folder.path().join("config.yaml"), &variables);
    (folder, loaded)
}

type LoadResult = Result<Loaded, LoadError>;

#[test]
fn a_keys_file_is_checked_with_the_configuration() {
    let (folder, loaded) = folder("keys:\n- {key_alias: b, key: os.environ/TEAM_B, models: [chta]}\n");
    let loaded = loaded.unwrap();
    assert_eq!(loaded.files[1], folder.path().join("keys.yaml"));
    assert_eq!(brief(&loaded.warnings), ["2:51 there is no model group `chta` / did you mean `chat`?"]);
    let file = loaded.config.general.keys_file.unwrap();
    let (keys, _) = file.read(Beside { keys: &[], master: None, models: &[] }, &|_| true).unwrap();
    assert_eq!(keys[0].hash, KeyHash::of(b"sk-of-team-b"));
}

#[test]
fn mistakes_in_a_keys_file_have_their_place_in_it() {
    for (keys, expected) in [
        ("", "there is no list of keys"),
        ("kees: []\n", "`kees` is not a key of the keys file"),
        ("keys: 5\n", "expected a list, found a number"),
        ("- key_alias: b\n", "expected a map of settings, found a list"),
        ("keys: [\n", "not YAML"),
        (
            &format!("keys:\n- {{key_alias: b, key_hash: {HASH}}}\n"),
            "this is the same key as one in the configuration",
        ),
        (
            "keys:\n- {key_alias: a, key: os.environ/TEAM_B}\n",
            "the name `a` is also that of a key in the configuration",
        ),
        (
            &format!("keys:\n- {{key_alias: b, key_hash: {HASH}, models: [os.environ/UNSET]}}\n"),
            "the environment variable `UNSET` is not set, and without it the key would open more",
        ),
        (
            &format!("keys:\n- {{key_alias: b, key_hash: {HASH}, models: [~]}}\n"),
            "nothing is written here, and without it the key would open more",
        ),
        ("keys:\n- {key_alias: b, key: os.environ/UNSET}\n", "there is no key: `key_hash` is not set"),
    ] {
        let (folder, loaded) = folder(keys);
        let error = loaded.unwrap_err();
        let found = error.mistakes.iter().find(|mistake| mistake.what.starts_with(expected));
        let place = found.unwrap_or_else(|| panic!("{keys}: {error}")).place.as_ref().unwrap();
        assert_eq!(place.file, folder.path().join("keys.yaml").display().to_string());
    }
    let (folder, _) = folder("keys: []\n");
    std::fs::remove_file(folder.path().join("keys.yaml")).unwrap();
    let error = load(&folder.path().join("config.yaml"), &Environment::empty()).unwrap_err();
    assert!(error.to_string().contains("keys.yaml: there is no such file"), "{error}");
}
