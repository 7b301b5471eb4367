//! `--live`: tries what the files name, all at once and for three seconds at most.
//!
//! Connects and closes, sends nothing, opens no database. What there is to try, and what a failure
//! means, is said by [`engine_core::check::reach`].

use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use engine_core::check::reach::{Place, Target, Tried, targets};
use engine_core::site::SiteFiles;
use grammar::error::Problem;

/// How long everything may take together.
const LIMIT: Duration = Duration::from_secs(3);

/// What could not be reached of a site's targets.
pub(super) fn problems(files: &SiteFiles) -> Vec<Problem> {
    let targets = targets(files);
    let tried = try_all(&targets, Instant::now() + LIMIT);
    targets.iter().zip(&tried).filter_map(|(target, tried)| target.problem(tried)).collect()
}

/// Tries each in a thread of its own. One that hangs in a look-up is left behind: the process ends soon.
fn try_all(targets: &[Target], limit: Instant) -> Vec<Tried> {
    let (answers, inbox) = mpsc::channel();
    let mut tried = vec![Tried::Silent; targets.len()];
    let mut waiting = 0;
    for (at, target) in targets.iter().enumerate() {
        let (place, answers) = (target.place.clone(), answers.clone());
        let begin = std::thread::Builder::new().name("live".to_owned());
        let begun = begin.spawn(move || {
            let _ = answers.send((at, try_one(&place, limit)));
        });
        match begun {
            Ok(_) => waiting += 1,
            Err(error) => tried[at] = Tried::Failed(error.to_string()),
        }
    }
    while waiting > 0 {
        let left = limit.saturating_duration_since(Instant::now());
        let Ok((at, answer)) = inbox.recv_timeout(left) else { break };
        tried[at] = answer;
        waiting -= 1;
    }
    tried
}

fn try_one(place: &Place, limit: Instant) -> Tried {
    match place {
        Place::Name(name) => match (name.as_str(), 0).to_socket_addrs() {
            Ok(_) => Tried::Reached,
            Err(error) => Tried::NoSuchName(error.to_string()),
        },
        Place::Socket(path) => match UnixStream::connect(path) {
            Ok(_) => Tried::Reached,
            Err(error) => Tried::Failed(reason(&error)),
        },
        Place::Tcp(host, port) => {
            let addresses = match (host.as_str(), *port).to_socket_addrs() {
                Ok(addresses) => addresses,
                Err(error) => return Tried::NoSuchName(error.to_string()),
            };
            let mut last = Tried::NoSuchName("it has no address".to_owned());
            for address in addresses {
                let left = limit.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Tried::Silent;
                }
                match TcpStream::connect_timeout(&address, left) {
                    Ok(_) => return Tried::Reached,
                    Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                        last = Tried::Silent;
                    }
                    Err(error) => last = Tried::Failed(reason(&error)),
                }
            }
            last
        }
    }
}

/// The system's words without its number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_listens_is_reached_and_what_does_not_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let place = Place::Tcp("127.0.0.1".to_owned(), port);
        let limit = Instant::now() + Duration::from_secs(60);
        assert_eq!(try_one(&place, limit), Tried::Reached);
        drop(listener);
        let refused = Tried::Failed("connection refused".to_owned());
        assert_eq!(try_one(&place, limit), refused);
        assert_eq!(try_one(&place, Instant::now()), Tried::Silent);
        let unknown = try_one(&Place::Name("no-such-name.invalid".to_owned()), limit);
        assert!(matches!(unknown, Tried::NoSuchName(_)), "{unknown:?}");
    }
}
