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
    meant_of(name, candidates.map(|name| Candidate { name, shape: Shape::of(name) }))
}

/// Whether `name` is surely one of these candidates, misspelt.
#[must_use]
pub fn is_near(name: &str, candidates: &[Candidate<'_>]) -> bool {
    let shape = Shape::of(name);
    let slips = sure_slips(shape.len);
    let near = candidates.iter().filter(|other| !shape.is_further_than(slips, &other.shape));
    meant_of(name, near.copied()).is_some_and(|meant| meant.sure)
}

/// A name that others may be near to, for those that many are held against.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    name: &'a str,
    shape: Shape,
}

impl<'a> Candidate<'a> {
    /// A candidate of ASCII.
    #[must_use]
    pub const fn new(name: &'a str) -> Self {
        Self { name, shape: Shape::of_ascii(name.as_bytes()) }
    }
}

fn meant_of<'a>(name: &str, candidates: impl Iterator<Item = Candidate<'a>>) -> Option<Meant<'a>> {
    if name.len() > LONGEST {
        return None;
    }
    let shape = Shape::of(name);
    let mut near = candidates
        .filter(|other| !shape.is_further_than(SLIPS, &other.shape) && other.name != name)
        .peekable();
    near.peek()?;
    let wanted = Folded::new(name);
    let mut best: Option<((usize, bool, usize), &'a str)> = None;
    for Candidate { name: candidate, shape: other } in near {
        let limit = best.map_or(SLIPS, |((distance, ..), _)| distance);
        if shape.is_further_than(limit, &other) {
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
    let surely = sure_slips(wanted.chars().len());
    let longer = wanted.chars().len().max(name.len());
    (distance * 2 <= longer).then_some(Meant { name, sure: distance <= surely })
}

/// How many slips a name of so many characters may have that one is sure of.
fn sure_slips(len: usize) -> usize {
    match len {
        0..3 => 0,
        3..9 => 1,
        _ => SLIPS,
    }
}

/// A character as it is compared: in lower case, one separator.
fn fold(c: char) -> char {
    if matches!(c, '_' | ' ') { '-' } else { c.to_ascii_lowercase() }
}

/// What of a name shows at once that another is far from it.
#[derive(Clone, Copy, Debug)]
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

    const fn of_ascii(name: &[u8]) -> Self {
        let mut shape = Self { len: name.len(), letters: 0 };
        let mut at = 0;
        while at < name.len() {
            let byte = match name[at] {
                b'_' | b' ' => b'-',
                byte => byte.to_ascii_lowercase(),
            };
            shape.letters |= 1 << (byte & 63);
            at += 1;
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
    // Costs fit a byte: no name is longer than `LONGEST`.
    let mut before = [0_u8; LONGEST + 1];
    let mut above = [0_u8; LONGEST + 1];
    for (cost, slot) in (0..).zip(&mut above) {
        *slot = cost;
    }
    for ((i, &from), first) in a.iter().enumerate().zip(1..) {
        let mut row = [u8::MAX - 1; LONGEST + 1];
        row[0] = first;
        let mut least = row[0];
        // What lies further from the diagonal than the limit costs more than it.
        let last = (i + limit + 1).min(b.len());
        for j in i.saturating_sub(limit)..last {
            let to = b[j];
            let replaced = above[j] + u8::from(from != to);
            let mut cost = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                cost = cost.min(before[j - 1] + 1);
            }
            row[j + 1] = cost;
            least = least.min(cost);
        }
        if usize::from(least) > limit {
            return None;
        }
        before = std::mem::replace(&mut above, row);
    }
    Some(usize::from(above[b.len()])).filter(|&distance| distance <= limit)
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
