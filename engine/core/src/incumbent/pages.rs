//! What the product's own pages say: `/load-balancer/status`, `/health-check`, metrics.
//!
//! Read from public descriptions (behaviour.md §1.3, §7); a page that says something else is an error
//! in words, so that what it meant to say becomes Unknown. Everything that came is hostile: names are words
//! without control characters, and there is a limit to how many are taken.

use serde::{Deserialize, Serialize};

/// So many nodes and sessions are read from a page; more are an error.
const MOST: usize = 20_000;

/// The longest name of a host or an account that is taken.
const LONGEST_NAME: usize = 253;

/// A node of the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeStatus {
    /// Its host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its address.
    pub address: String,
    /// Its load of one, five and fifteen minutes, as the page writes it.
    pub load: String,
    /// Its sessions: pid and account.
    pub sessions: Vec<(u32, String)>,
}

/// What the health check says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Health {
    /// `active-sessions`.
    pub active_sessions: Option<u32>,
    /// `license-status`.
    pub license_status: Option<String>,
    /// `license-days-left`.
    pub license_days_left: Option<i64>,
}

/// What the metrics say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metrics {
    /// Label `version` of `pwb_build_info`.
    pub version: Option<String>,
    /// The sum of `pwb_active_user_sessions`.
    pub active_sessions: Option<u32>,
}

/// Reads `GET /load-balancer/status`.
///
/// # Errors
/// The page says something else, in words.
pub fn parse_nodes(text: &str) -> Result<Vec<NodeStatus>, String> {
    let mut nodes: Vec<NodeStatus> = Vec::new();
    let mut count = 0_usize;
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        if line.trim().is_empty() {
            continue;
        }
        count += 1;
        if count > MOST {
            return Err(format!("more than {MOST} lines"));
        }
        let indented = line.starts_with([' ', '\t']);
        if !indented {
            let node = node_line(line.trim());
            nodes.push(node.ok_or_else(|| format!("line {number} is no node"))?);
            continue;
        }
        let session = session_line(line.trim());
        let session = session.ok_or_else(|| format!("line {number} is no session"))?;
        match nodes.last_mut() {
            Some(node) => node.sessions.push(session),
            None => return Err(format!("line {number} is a session of no node")),
        }
    }
    if nodes.is_empty() { Err("it lists no node".to_owned()) } else { Ok(nodes) }
}

/// `host:8787 - 172.31.29.53  Load: 0.0063, 0.019, 0`.
fn node_line(line: &str) -> Option<NodeStatus> {
    let (name, rest) = line.split_once(" - ")?;
    let (host, port) = name.rsplit_once(':')?;
    let (address, load) = rest.split_once("Load:")?;
    let load = load.trim();
    let figure = |figure: &str| figure.trim().parse::<f64>().is_ok_and(f64::is_finite);
    let figures = load.split(',').count() == 3 && load.split(',').all(figure);
    (figures && load.len() <= 80).then_some(())?;
    Some(NodeStatus {
        host: word(host)?,
        port: port.parse().ok()?,
        address: word(address.trim())?,
        load: load.to_owned(),
        sessions: Vec::new(),
    })
}

/// `4711 - alice`.
fn session_line(line: &str) -> Option<(u32, String)> {
    let (pid, user) = line.split_once(" - ")?;
    Some((pid.trim().parse().ok()?, word(user.trim())?))
}

/// A name that may be shown.
pub(super) fn word(text: &str) -> Option<String> {
    let plain = !text.is_empty()
        && text.len() <= LONGEST_NAME
        && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    plain.then(|| text.to_owned())
}

/// Reads `GET /health-check` as its shipped template writes it.
///
/// # Errors
/// None of its figures is there: the site has a template of its own, or it is another page.
pub fn parse_health(text: &str) -> Result<Health, String> {
    let mut health = Health::default();
    let mut found = false;
    for line in text.lines().take(MOST) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.trim() {
            "active-sessions" => health.active_sessions = value.parse().ok(),
            "license-status" => health.license_status = phrase(value),
            "license-days-left" => health.license_days_left = value.parse().ok(),
            _ => continue,
        }
        found = true;
    }
    if found { Ok(health) } else { Err("it has none of the figures of its template".to_owned()) }
}

/// A few words that may be shown.
fn phrase(text: &str) -> Option<String> {
    let plain = !text.is_empty() && text.len() <= 80 && !text.chars().any(char::is_control);
    plain.then(|| text.to_owned())
}

/// Reads the product's metrics.
///
/// # Errors
/// None of its names is there.
pub fn parse_metrics(text: &str) -> Result<Metrics, String> {
    let mut metrics = Metrics::default();
    let mut found = false;
    for line in text.lines().take(MOST) {
        if let Some(rest) = line.strip_prefix("pwb_build_info") {
            found = true;
            metrics.version = label(rest, "version");
        } else if let Some(rest) = line.strip_prefix("pwb_active_user_sessions") {
            let value = rest.rsplit_once([' ', '}']).map_or("", |(_, value)| value);
            if let Ok(value) = value.trim().parse::<u32>() {
                found = true;
                let sum = metrics.active_sessions.unwrap_or(0);
                metrics.active_sessions = Some(sum.saturating_add(value));
            }
        }
    }
    if found { Ok(metrics) } else { Err("it has none of the product's names".to_owned()) }
}

/// The value of a label: `{version="2026.07.0",os="x"} 1`.
fn label(rest: &str, name: &str) -> Option<String> {
    let (labels, _) = rest.strip_prefix('{')?.split_once('}')?;
    let of = |pair: &&str| pair.split_once('=').is_some_and(|(key, _)| key.trim() == name);
    let (_, value) = labels.split(',').find(of)?.split_once('=')?;
    version(value.trim().strip_prefix('"')?.strip_suffix('"')?)
}

/// A version that may be shown.
#[must_use]
pub fn version(text: &str) -> Option<String> {
    let text = text.trim();
    let first = text.split_whitespace().next()?;
    let plain = first.len() <= 60
        && first.starts_with(|c: char| c.is_ascii_digit())
        && first.chars().all(|c| c.is_ascii_alphanumeric() || ".+-_".contains(c));
    plain.then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_their_sessions_are_read_as_the_guide_shows_them() {
        let text = "ip-172-31-29-53:8787 - 172.31.29.53  Load: 0.0063, 0.019, 0\n   \
                    4711 - alice\n   4712 - bob  \n\nnode2:8787 - 10.0.0.2  Load: 1, 2.5, 0.25";
        let nodes = parse_nodes(text).unwrap();
        assert_eq!(nodes.len(), 2);
        assert_eq!(nodes[0].host, "ip-172-31-29-53");
        assert_eq!(nodes[0].sessions, [(4711, "alice".to_owned()), (4712, "bob".to_owned())]);
        assert_eq!((nodes[1].port, nodes[1].load.as_str()), (8787, "1, 2.5, 0.25"));
    }

    #[test]
    fn another_page_is_an_error_in_words() {
        for (text, why) in [
            ("", "it lists no node"),
            ("<html><body>Sign in</body></html>", "line 1 is no node"),
            ("   4711 - alice\n", "line 1 is a session of no node"),
            ("n:8787 - 10.0.0.1  Load: a, b, c\n", "line 1 is no node"),
            ("n:8787 - 10.0.0.1  Load: 1, 2, NaN\n", "line 1 is no node"),
            ("n:8787 - 10.0.0.1  Load: 1, 2, 3\n   x - alice\n", "line 2 is no session"),
            ("n:8787 - 10.0.0.1  Load: 1, 2, 3\n   1 - a\u{1b}[31m\n", "line 2 is no session"),
            ("n:99999 - 10.0.0.1  Load: 1, 2, 3\n", "line 1 is no node"),
        ] {
            assert_eq!(parse_nodes(text), Err(why.to_owned()), "{text:?}");
        }
        let many = "n:1 - 1.1.1.1  Load: 0, 0, 0\n".repeat(MOST + 1);
        assert!(parse_nodes(&many).unwrap_err().contains("more than"));
    }

    #[test]
    fn the_health_check_is_read_by_name() {
        let text = "active-sessions: 3\nidle-seconds: 0\nlicense-status: Activated\n\
                    license-days-left: -1\n";
        let health = parse_health(text).unwrap();
        assert_eq!(health.active_sessions, Some(3));
        assert_eq!(health.license_status.as_deref(), Some("Activated"));
        assert_eq!(health.license_days_left, Some(-1));
        assert!(parse_health("<health><sessions>3</sessions></health>").is_err());
    }

    #[test]
    fn metrics_give_version_and_sessions() {
        let text = "# HELP pwb_build_info x\npwb_build_info{os=\"l\",version=\"2026.07.0+1.pro2\"} 1\n\
                    pwb_active_user_sessions{type=\"rstudio\"} 2\npwb_active_user_sessions{type=\"x\"} 5\n";
        let metrics = parse_metrics(text).unwrap();
        assert_eq!(metrics.version.as_deref(), Some("2026.07.0+1.pro2"));
        assert_eq!(metrics.active_sessions, Some(7));
        assert_eq!(parse_metrics("pwb_build_info{version=\"\u{1b}\"} 1").unwrap().version, None);
        assert!(parse_metrics("up 1\n").is_err());
    }

    #[test]
    fn a_version_is_its_first_word_or_none() {
        assert_eq!(
            version("2026.07.0+139.pro3 (Some Name)"),
            Some("2026.07.0+139.pro3".to_owned())
        );
        for bad in ["", "Workbench", "2026\u{7}", &"1".repeat(61)] {
            assert_eq!(version(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn as_many_lines_as_may_be_are_read() {
        let most = "n:1 - 1.1.1.1  Load: 0, 0, 0\n".repeat(MOST);
        assert_eq!(parse_nodes(&most).map(|nodes| nodes.len()), Ok(MOST));
    }

    #[test]
    fn a_name_that_may_not_be_shown_is_none() {
        let longest = "x".repeat(LONGEST_NAME);
        assert_eq!(word(&longest), Some(longest.clone()));
        for bad in ["", "a b", "a\u{7}b", &format!("{longest}x")] {
            assert_eq!(word(bad), None, "{bad:?}");
        }
        let longest = "x ".repeat(40);
        assert_eq!(phrase(&longest), Some(longest.clone()));
        for bad in ["", "a\u{7}b", &format!("{longest}x")] {
            assert_eq!(phrase(bad), None, "{bad:?}");
        }
    }

    proptest::proptest! {
        /// Whatever comes is an answer or a reason, and shows no control character.
        #[test]
        fn no_page_is_a_trap(text in "(?s).{0,200}", head in 0_usize..5) {
            let heads = ["", "n:1 - ", "n:8787 - 10.0.0.1  Load: 1, 2, 3\n ", "active-sessions:", "pwb_build_info{"];
            let text = format!("{}{text}", heads[head]);
            let clean = |word: &str| !word.chars().any(char::is_control);
            for node in parse_nodes(&text).into_iter().flatten() {
                assert!(clean(&node.host) && clean(&node.address) && clean(&node.load));
                assert!(node.sessions.iter().all(|(_, user)| clean(user)));
            }
            if let Ok(health) = parse_health(&text) {
                assert!(health.license_status.is_none_or(|status| clean(&status)));
            }
            if let Ok(metrics) = parse_metrics(&text) {
                assert!(metrics.version.is_none_or(|version| clean(&version)));
            }
            let _ = super::super::process::parse_stat(&text);
            let _ = crate::sockets::parse_line(&text);
        }
    }
}
