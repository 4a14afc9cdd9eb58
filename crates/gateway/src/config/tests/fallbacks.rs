use leastbusy_balance::Outcome;

use super::reliability::{list, warned, with_router};
use super::*;

#[test]
fn fallbacks_of_the_wrong_shape_are_mistakes() {
    for (settings, expected) in [
        (
            "fallbacks: [small]",
            "8:31 expected a map from one group to others, found the text `small` / write `- {GROUP: [small]}`, or `default_fallbacks: [small]` for all groups",
        ),
        (
            "fallbacks: [{chat: small}]",
            "8:38 expected a list of model groups, found a text / write `[small]`",
        ),
        (
            "fallbacks: [{chat: [{model: small}]}]",
            "8:40 a fallback of the configuration is a name; only a request may bring a map / write the name alone; parameters of its own go into an entry of model_list",
        ),
        (
            "content_policy_fallbacks: [{}]",
            "8:46 an item of content_policy_fallbacks has one group, this one has 0 / write one item for each group: `- {GROUP: [OTHER, GROUPS]}`",
        ),
        (
            "default_fallbacks: small",
            "8:38 expected a list of model groups, found the text `small` / write `[small]`",
        ),
        (
            "default_fallbacks: [\"*\"]",
            "8:39 `*` stands for many names, and a fallback leads to one / write the whole name of a model to ask for",
        ),
        (
            "context_window_fallbacks: [{chat: [\"openai/*\"]}]",
            "8:54 `openai/*` stands for many names, and a fallback leads to one / write the whole name of a model to ask for",
        ),
        (
            "content_policy_fallbacks: [{groq/chatt: [small]}]",
            "8:47 `groq/chatt` leads nowhere: no deployment and no alias has that name / name a model_name of model_list or an alias",
        ),
    ] {
        assert_eq!(mistakes(&with_router(settings)), [expected], "{settings}");
    }
}

#[test]
fn a_fallback_without_effect_is_a_warning() {
    let text = with_router(
        "model_group_alias: {big: chat}, fallbacks: [{chat: [big, small]}, {chat: [small]}, {\"*\": [small]}], default_fallbacks: [chat]",
    );
    let Loaded { config, warnings, .. } = read(&text);
    assert_eq!(
        brief(&warnings),
        [
            "8:71 `big` leads back to its own group and is skipped / name another model group, or remove it",
            "8:86 `chat` has an item of fallbacks already, and the first one counts / make one list of the two",
            "8:119 default_fallbacks goes before the `*` of fallbacks, which has no effect / remove one of the two",
        ]
    );
    assert_eq!(config.router.fallbacks.general, list(&[("chat", &["big", "small"]), ("*", &["small"])]));
    assert_eq!(
        warned("cooldown_time: 600, max_cooldown_time: 60"),
        [
            "8:58 cooldown_time is longer already, so that no rest is ever doubled / raise it above cooldown_time, or remove it"
        ]
    );
    assert_eq!(warned("cooldown_time: 600"), Vec::<String>::new());
}

#[test]
fn a_routing_group_may_fall_back_and_be_fallen_back_to() {
    let text = with_router(
        "routing_groups: [{group_name: any, models: [chat]}], fallbacks: [{small: [any]}, {any: [small]}], model_group_retry_policy: {any: {DefaultRetries: 1}}",
    );
    let Loaded { config, warnings, .. } = read(&text);
    assert_eq!(config.router.fallbacks.general, list(&[("small", &["any"]), ("any", &["small"])]));
    assert_eq!(config.router.retries.group_policies["any"].default, Some(1));
    assert_eq!(brief(&warnings), Vec::<String>::new());
}

#[test]
fn names_in_fallbacks_may_do_without_their_provider() {
    let text = with_router(
        "fallbacks: [{gpt-4o: [small]}, {openai/chat: [small]}, {openai/gpt-4: [openai/gpt-4o, small]}]",
    );
    let Loaded { config, warnings, .. } = read(&text);
    assert_eq!(warnings, []);
    assert_eq!(config.router.fallbacks.general.len(), 3);
    assert_eq!(mistakes(&with_router("fallbacks: [{groq/gpt-4: [small]}]")).len(), 1);
    // Beside `openai/*` every name leads somewhere, a slip too.
    assert_eq!(
        warned("fallbacks: [{chatt: [small]}]"),
        [
            "8:32 `chatt` is taken for `openai/chatt` / did you mean `chat`? If not, write `openai/chatt` to say so"
        ]
    );
}

#[test]
fn a_names_own_fallbacks_go_before_those_for_all() {
    let fallbacks = Fallbacks {
        general: list(&[
            ("*", &["star"]),
            ("gpt-4o", &["bare"]),
            ("openai/gpt-4o", &["exact"]),
            ("chat", &["group"]),
        ]),
        context_window: list(&[("chat", &["longer"])]),
        ..Fallbacks::default()
    };
    let general = |names: &[&str]| fallbacks.after(Outcome::ServerError, names).join(" ");
    assert_eq!(general(&["openai/gpt-4o"]), "exact");
    assert_eq!(general(&["groq/gpt-4o"]), "bare");
    assert_eq!(general(&["nobody/gpt-4o"]), "star");
    assert_eq!(general(&["alias", "chat"]), "group");
    assert_eq!(general(&["unknown"]), "star");
    // Its own list, once there is one, is the only one for that error.
    assert_eq!(fallbacks.after(Outcome::ContextWindow, &["chat"]), ["longer"]);
    assert_eq!(fallbacks.after(Outcome::ContextWindow, &["gpt-4o"]), [] as [&str; 0]);
    assert_eq!(fallbacks.after(Outcome::ContentPolicy, &["gpt-4o"]), ["bare"]);
    let with_default = Fallbacks { default: vec!["default".into()], ..fallbacks };
    assert_eq!(with_default.after(Outcome::ServerError, &["unknown"]), ["default"]);
    assert_eq!(with_default.after(Outcome::ServerError, &["chat"]), ["group"]);
    assert_eq!(Fallbacks::default().after(Outcome::ServerError, &["chat"]), [] as [&str; 0]);
}
