//! "Did you mean": the closest of a few known names.
//!
//! Knows nothing of options or files: names in, a name out. Bounded in time whatever the name, since
//! names come from files that anybody may have written.

/// Names longer than this get no suggestion: no option is that long, a hostile key may be.
const LONGEST: usize = 80;

/// More slips than this are another name.
const SLIPS: usize = 2;

/// What a person most likely meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meant<'a> {
    /// The candidate.
    pub name: &'a str,
    /// Whether it is so near that `name` is hardly a name of its own; else it is a guess, worth a question.
    pub sure: bool,
}

/// The candidate that a person most likely meant by `name`, if one is near enough to be sure of it.
///
/// Near is an optimal string alignment distance (a swap of neighbours counts once) of at most 2,
/// of at most 1 for names shorter than nine characters, and none below three; letter case and the
/// choice between `-`, `_` and a blank do not count. A candidate equal to `name` is never returned.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    meant(name, candidates).filter(|meant| meant.sure).map(|meant| meant.name)
}

/// The candidate that a person may have meant by `name`, however short it is: at most two slips away, and no
/// more than half of the name.
///
/// Of several at one distance the one with the same first letter wins, then the one of the same length, then the
/// first: the caller's order decides.
pub fn meant<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<Meant<'a>> {
    if name.len() > LONGEST {
        return None;
    }
    let (shape, wanted) = (Shape::of(name), Folded::new(name));
    let mut best: Option<((usize, bool, usize), &'a str)> = None;
    for candidate in candidates.filter(|&candidate| candidate != name) {
        let limit = best.map_or(SLIPS, |((distance, ..), _)| distance);
        if shape.is_further_than(limit, &Shape::of(candidate)) {
            continue;
        }
        let other = Folded::new(candidate);
        let Some(distance) = distance(&wanted, &other, limit) else { continue };
        let (a, b) = (wanted.chars(), other.chars());
        let rank = (distance, a.first() != b.first(), a.len().abs_diff(b.len()));
        if best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, candidate));
        }
    }
    let ((distance, ..), name) = best?;
    let surely = match wanted.chars().len() {
        0..3 => 0,
        3..9 => 1,
        _ => SLIPS,
    };
    let longer = wanted.chars().len().max(name.len());
    (distance * 2 <= longer).then_some(Meant { name, sure: distance <= surely })
}

/// A character as it is compared: in lower case, one separator.
fn fold(c: char) -> char {
    if matches!(c, '_' | ' ') { '-' } else { c.to_ascii_lowercase() }
}

/// What of a name shows at once that another is far from it.
struct Shape {
    len: usize,
    /// A bit for each letter in it.
    letters: u64,
}

impl Shape {
    fn of(name: &str) -> Self {
        let mut shape = Self { len: 0, letters: 0 };
        for c in name.chars() {
            shape.len += 1;
            shape.letters |= 1 << (u32::from(fold(c)) & 63);
        }
        shape
    }

    /// A slip changes the length by one at most, and takes a letter away and adds one at most.
    fn is_further_than(&self, limit: usize, other: &Self) -> bool {
        let letters = (self.letters ^ other.letters).count_ones() as usize;
        self.len.abs_diff(other.len) > limit || letters > 2 * limit
    }
}

/// A name as it is compared.
struct Folded {
    chars: [char; LONGEST],
    len: usize,
}

impl Folded {
    /// Of a name that is longer than the longest, its beginning: it is too far from all others anyway.
    fn new(name: &str) -> Self {
        let mut folded = Self { chars: ['\0'; LONGEST], len: 0 };
        for (slot, c) in folded.chars.iter_mut().zip(name.chars()) {
            *slot = fold(c);
            folded.len += 1;
        }
        folded
    }

    fn chars(&self) -> &[char] {
        &self.chars[..self.len]
    }
}

/// The distance, if it is at most `limit`.
fn distance(a: &Folded, b: &Folded, limit: usize) -> Option<usize> {
    if a.len.abs_diff(b.len) > limit {
        return None;
    }
    let (a, b) = (a.chars(), b.chars());
    let mut before = [0; LONGEST + 1];
    let mut above: [usize; LONGEST + 1] = std::array::from_fn(|at| at);
    for (i, &from) in a.iter().enumerate() {
        let mut row = [usize::MAX - 1; LONGEST + 1];
        row[0] = i + 1;
        let mut least = row[0];
        // What lies further from the diagonal than the limit costs more than it.
        let last = (i + limit + 1).min(b.len());
        for j in i.saturating_sub(limit)..last {
            let to = b[j];
            let replaced = above[j] + usize::from(from != to);
            let mut cost = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                cost = cost.min(before[j - 1] + 1);
            }
            row[j + 1] = cost;
            least = least.min(cost);
        }
        if least > limit {
            return None;
        }
        before = std::mem::replace(&mut above, row);
    }
    Some(above[b.len()]).filter(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::{Meant, meant, nearest};

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
    fn a_guess_is_no_more_than_a_guess() {
        let guessed = |name| meant(name, ["name", "type"].into_iter());
        assert_eq!(guessed("nmae"), Some(Meant { name: "name", sure: true }));
        assert_eq!(guessed("naems"), Some(Meant { name: "name", sure: false }));
        assert_eq!(guessed("nose"), Some(Meant { name: "name", sure: false }));
        assert_eq!(guessed("port"), None);
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
