//! "Did you mean": the closest of a few known names.
//!
//! Knows nothing of options or files: names in, a name out. Bounded in time whatever the name, since
//! names come from files that anybody may have written.

/// Names longer than this get no suggestion: no option is that long, a hostile key may be.
const LONGEST: usize = 80;

/// The candidate that a person most likely meant by `name`, if one is near enough.
///
/// Near is an optimal string alignment distance (a swap of neighbours counts once) of at most 2,
/// of at most 1 for names shorter than nine characters, and none below three; letter case and the
/// choice between `-`, `_` and a blank do not count. A candidate equal to `name` is never returned.
/// Of several at one distance the first wins, so the caller's order decides.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let wanted = folded(name);
    let limit = match wanted.len() {
        0..3 => 0,
        3..9 => 1,
        _ => 2,
    };
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates.filter(|&candidate| candidate != name) {
        let limit = best.map_or(limit, |(distance, _)| distance.saturating_sub(1));
        let Some(distance) = distance(&wanted, &folded(candidate), limit) else { continue };
        if distance == 0 {
            return Some(candidate);
        }
        best = Some((distance, candidate));
    }
    best.map(|(_, candidate)| candidate)
}

fn folded(name: &str) -> Vec<char> {
    let fold = |c: char| if matches!(c, '_' | ' ') { '-' } else { c.to_ascii_lowercase() };
    name.chars().map(fold).collect()
}

/// The distance, if it is at most `limit`.
fn distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, &to) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(from != to);
            let mut cost = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                cost = cost.min(before[j - 1] + 1);
            }
            row[j + 1] = cost;
        }
        if row.iter().all(|&cost| cost > limit) {
            return None;
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().filter(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const NAMES: [&str; 5] =
        ["www-port", "www-address", "launcher-address", "balancer", "auth-saml"];

    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(nearest(name, NAMES.into_iter()), expected, "{name}");
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        check("www-prot", Some("www-port"));
        check("launcher-adress", Some("launcher-address"));
        check("balencer", Some("balancer"));
        check("www_port", Some("www-port"));
        check("WWW-Port", Some("www-port"));
    }

    #[test]
    fn a_different_word_is_not() {
        check("server-user", None);
        check("www-root", None);
        check("", None);
        check("x", None);
    }

    #[test]
    fn short_names_get_less_tolerance() {
        assert_eq!(nearest("nmae", ["name"].into_iter()), Some("name"));
        assert_eq!(nearest("nose", ["name"].into_iter()), None);
        assert_eq!(nearest("ab", ["ac"].into_iter()), None);
    }

    #[test]
    fn the_nearest_wins_and_the_first_of_equals() {
        assert_eq!(nearest("balancers", ["balance", "balancer"].into_iter()), Some("balancer"));
        assert_eq!(nearest("host-c", ["host-a", "host-b"].into_iter()), Some("host-a"));
    }

    #[test]
    fn the_name_itself_is_no_suggestion() {
        assert_eq!(nearest("balancer", ["balancer"].into_iter()), None);
    }

    #[test]
    fn a_hostile_name_costs_nothing() {
        let name = "w".repeat(8 << 20);
        assert_eq!(nearest(&name, NAMES.into_iter()), None);
    }
}
