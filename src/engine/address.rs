//! A model on a server, as a person names it: `http(s)://host[:port][/path][#model]`.
//!
//! Invariants: an address holds no name or password of a person, so it may be shown and recorded; parsing asks nothing
//! of a network.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::error::EngineError;
use crate::data::sanitize::visible;

/// The variable that holds the key to a server.
pub const KEY_VARIABLE: &str = "OPENAI_API_KEY";
/// Where an OpenAI-compatible server answers, unless a path says otherwise.
const PATH: &str = "/v1";
/// Bytes of an address that somebody may have meant.
const LONGEST: usize = 2000;

/// A model on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where its requests go: scheme, host, port and path, without a slash at the end.
    pub base: String,
    /// Which of its models is wanted; `None` for the only one it has.
    pub model: Option<String>,
}

impl Address {
    /// Whether `name` is meant as an address, be it a good one or not.
    pub fn is_meant(name: &str) -> bool {
        ["http://", "https://"]
            .iter()
            .any(|scheme| name.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme)))
    }

    /// The server's host, with its port where one is named.
    pub fn host(&self) -> &str {
        authority(&self.base).0
    }

    /// Whether the server is on this machine.
    pub fn is_here(&self) -> bool {
        let host = self.host();
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// The same server with this model.
    pub fn with_model(&self, model: &str) -> Self {
        Self { base: self.base.clone(), model: Some(model.to_owned()) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        self.model.as_ref().map_or(Ok(()), |model| write!(f, "#{model}"))
    }
}

/// The host with its port, and the path, of an address without its model.
fn authority(base: &str) -> (&str, &str) {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    rest.find('/').map_or((rest, ""), |at| rest.split_at(at))
}

/// Whether this is a host, with or without a port. A name has no colon of its own, an IPv6 address stands in brackets.
fn names_host(host: &str) -> bool {
    let (is_host, port) = match host.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((ip, port))) => (ip.parse::<Ipv6Addr>().is_ok(), port),
        Some(None) => (false, ""),
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            (!name.is_empty(), port)
        }
    };
    // A sign before a number is none of a port.
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n > 0);
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// `name` as it may be shown, where it is an address: without what stands before an `@`, which may be somebody's password.
pub fn told(name: &str) -> String {
    let Some((scheme, rest)) = name.split_once("://").filter(|_| Address::is_meant(name)) else {
        return name.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    format!("{scheme}://{}{path}", host.rsplit_once('@').map_or(host, |(_, host)| host))
}

impl FromStr for Address {
    type Err = EngineError;

    fn from_str(name: &str) -> Result<Self, EngineError> {
        // Of no address it is not known where a password ends: it may hold a slash itself.
        let shown = match name.split_once("://").zip(name.rsplit_once('@')) {
            Some(((scheme, _), (_, rest))) => format!("{scheme}://{rest}"),
            None => name.to_owned(),
        };
        let refused = |reason: &str, remedy: &str| EngineError::Server {
            server: visible(&shown).chars().take(LONGEST / 10).collect(),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        };
        let written = "write it as http://host:port/v1#model";
        if !Address::is_meant(name) || name.len() > LONGEST {
            return Err(refused("it is no address of a server", written));
        }
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(refused("an address has no white space", written));
        }
        let (place, model) = name.split_once('#').map_or((name, None), |(place, model)| (place, Some(model)));
        if model == Some("") {
            return Err(refused(
                "no model stands after '#'",
                "name one, or leave '#' out to get the server's only one",
            ));
        }
        if place.contains('?') {
            return Err(refused("a query has no place in it", written));
        }
        let (scheme, _) = place.split_once("://").unwrap_or_default();
        let (host, path) = authority(place);
        if host.contains('@') {
            let remedy = format!("leave out what stands before '@', and set {KEY_VARIABLE} to the server's key");
            return Err(refused("a name or a password in an address would be shown and recorded", &remedy));
        }
        if !names_host(host) {
            return Err(refused("it names no host and port", written));
        }
        let path = match path.trim_end_matches('/') {
            "" => PATH,
            path => path,
        };
        let base = format!("{}://{}{path}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
        Ok(Self { base, model: model.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (name, base, model) in [
            ("http://localhost:1234", "http://localhost:1234/v1", None),
            ("http://localhost:1234/v1/", "http://localhost:1234/v1", None),
            ("HTTPS://Models.Example/api/v1#Qwen/Qwen3-4B", "https://models.example/api/v1", Some("Qwen/Qwen3-4B")),
            ("http://[::1]:8080/v1#m#2", "http://[::1]:8080/v1", Some("m#2")),
            ("http://[::1]#m", "http://[::1]/v1", Some("m")),
        ] {
            let address: Address = name.parse().unwrap();
            assert_eq!((address.base.as_str(), address.model.as_deref()), (base, model), "{name}");
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        let here = |name: &str| name.parse::<Address>().unwrap().is_here();
        assert!(here("http://localhost:1/v1") && here("http://127.0.0.2") && here("http://[::1]:8/v1"));
        assert!(!here("http://10.0.0.7:1") && !here("https://localhost.example"));
        assert_eq!("http://Host:80/v1".parse::<Address>().unwrap().host(), "host:80");
    }

    #[test]
    fn what_is_no_address_is_told_without_passwords() {
        for (name, expected) in [
            ("https://ann:secret@host/v1", "OPENAI_API_KEY"),
            ("http://ann:se/secret@host/v1", "names no host"),
            ("http://ann:s#secret@host/v1", "names no host"),
            ("http://ann:s?secret@host/v1", "a query"),
            ("http://", "names no host"),
            ("http://:80/v1", "names no host"),
            ("http://host:/v1", "names no host"),
            ("http://host:99999/v1", "names no host"),
            ("http://host:+80/v1", "names no host"),
            ("http://::1:8080/v1#m", "names no host"),
            ("http://a:b:80/v1", "names no host"),
            ("http://[::1]8080/v1#m", "names no host"),
            ("http://[::1]::8080/v1#m", "names no host"),
            ("http://[::1]:/v1#m", "names no host"),
            ("http://[::1/v1#m", "names no host"),
            ("http://[host]:80/v1", "names no host"),
            ("http://host/v1#", "no model stands after"),
            ("http://host/v1?key=1", "a query"),
            ("http://ho st/v1", "white space"),
            ("ftp://host", "no address"),
        ] {
            let error = name.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{name}: {error}");
        }
        assert_eq!(told("https://ann:s@host/v1#a@b"), "https://host/v1#a@b");
        assert_eq!(told("owner/name"), "owner/name");
    }
}
