//! Lists of servers, and ports.

use std::net::Ipv6Addr;

use crate::config::RedisNode;
use crate::config::finding::Finding;
use crate::config::keys;
use crate::config::read::{Reader, Setting};
use crate::config::shared_state::url;
use crate::config::tree::{Node, Value};

const WAY_OUT: &str = "write `{host: HOST, port: PORT}`, or `HOST:PORT`";

/// A list of `{host, port}` maps, of `[host, port]` pairs or of `host:port` texts; as a text, the JSON of one.
/// `None` when it is no list, which has been told then.
pub(super) fn read(reader: &mut Reader<'_>, setting: &Setting<'_>, port: u16) -> Option<Vec<RedisNode>> {
    let Value::Text(text) = &setting.node.value else {
        let is_list = matches!(setting.node.value, Value::List(_));
        let items = reader.items(setting);
        return is_list.then(|| items.iter().filter_map(|item| one(reader, item, port)).collect());
    };
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) if json.is_array() => {
            let node = Node::from_json(&json, setting.node);
            read(reader, &Setting { node: &node, path: setting.path.clone() }, port)
        }
        _ => {
            reader.mistake(
                &setting.path,
                "this is not a JSON list of nodes",
                "write `[{\"host\": \"HOST\", \"port\": 6379}]`",
            );
            None
        }
    }
}

fn one(reader: &mut Reader<'_>, item: &Setting<'_>, default: u16) -> Option<RedisNode> {
    match &item.node.value {
        Value::Map(_) => {
            let settings = reader.section(item.node, &item.path, &keys::REDIS_NODE);
            let host = reader.text(settings.get("host"));
            let port = port(reader, settings.get("port"), default);
            // Without a host it is an empty one, which the check tells.
            Some(RedisNode::new(host.unwrap_or_default().trim(), port))
        }
        Value::List(pair) if (1..=2).contains(&pair.len()) => {
            let part = |index| pair.get(index).map(|node| Setting { node, path: item.path.index(index) });
            let host = reader.text(part(0).as_ref());
            let port = port(reader, part(1).as_ref(), default);
            Some(RedisNode::new(host.unwrap_or_default().trim(), port))
        }
        Value::Text(text) => {
            let node = of_text(text, default);
            if node.is_none() {
                reader.mistake(&item.path, "this is not a node", WAY_OUT);
            }
            node
        }
        Value::List(_) => {
            reader.mistake(&item.path, "this is not a host and a port", WAY_OUT);
            None
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            reader.wrong_type(item, "a node", Some("write `{host: HOST, port: PORT}`".into()));
            None
        }
    }
}

/// `host` or `host:port`, an IPv6 address without a port also without brackets.
fn of_text(text: &str, default: u16) -> Option<RedisNode> {
    let text = text.trim();
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some(RedisNode::new(text, default));
    }
    url::node(text, default).ok()
}

/// A port, the default where it is missing or told to be wrong.
pub(super) fn port(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>, default: u16) -> u16 {
    if let Some(setting) = setting
        && let Value::Text(text) = &setting.node.value
        && let Some(variable) = &setting.node.variable
        && text.trim().starts_with("tcp://")
    {
        let what = format!(
            "{variable} holds an address, as Kubernetes sets it for a Service named redis, and no port; {default} is taken"
        );
        reader.findings.push(Finding::warning(setting.path.clone(), what).way_out(
            "write the port into the file, or set `enableServiceLinks: false` in the pod and the variable yourself",
        ));
        return default;
    }
    let Some(number) = whole(reader, setting, "a port, 1 to 65535") else { return default };
    match (u16::try_from(number), setting) {
        (Ok(port @ 1..), _) => port,
        (_, Some(setting)) => {
            reader.mistake(&setting.path, "a port is 1 to 65535", "write the port of the Redis");
            default
        }
        (_, None) => default,
    }
}

/// A whole number, in quotes or not: LiteLLM's examples have both.
pub(super) fn whole(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>, expected: &str) -> Option<i64> {
    let setting = setting?;
    let number = match &setting.node.value {
        Value::Number(number) => number.as_i64(),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Null => return None,
        Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    };
    if number.is_none() {
        reader.wrong_type(setting, expected, None);
    }
    number
}
