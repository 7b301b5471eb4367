//! Slips of the finger, the same in every run: a letter more, less or other, or two neighbours swapped.

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz-";

/// Up to `count` names that are exactly `distance` slips away from a name, none twice.
pub(crate) fn of(name: &str, distance: usize, count: usize) -> Vec<String> {
    let mut random = Random::seeded(name, distance);
    let mut found: Vec<String> = Vec::new();
    // Short names have few that are so near.
    for _ in 0..count * 20 {
        let mut slip: Vec<char> = name.chars().collect();
        for _ in 0..distance {
            slip_once(&mut slip, &mut random);
        }
        let slip: String = slip.into_iter().collect();
        let is_name = slip.len() > 1 && !slip.starts_with('-');
        if is_name && distance_of(name, &slip) == distance && !found.contains(&slip) {
            found.push(slip);
        }
        if found.len() == count {
            break;
        }
    }
    found
}

fn slip_once(name: &mut Vec<char>, random: &mut Random) {
    let letter = char::from(LETTERS[random.below(LETTERS.len())]);
    let at = random.below(name.len().max(1));
    match random.below(4) {
        0 if name.len() > 1 => drop(name.remove(at)),
        1 if !name.is_empty() => name[at] = letter,
        2 if at + 1 < name.len() => name.swap(at, at + 1),
        _ => name.insert(at, letter),
    }
}

/// The optimal string alignment distance; capitals are no slip, nor is `_` for `-`.
fn distance_of(a: &str, b: &str) -> usize {
    let fold = |text: &str| text.to_ascii_lowercase().replace('_', "-").into_bytes();
    let (a, b) = (fold(a), fold(b));
    let mut cost = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            cost[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let replaced = cost[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let least = replaced.min(cost[i - 1][j] + 1).min(cost[i][j - 1] + 1);
                    let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                    if swapped { least.min(cost[i - 2][j - 2] + 1) } else { least }
                }
            };
        }
    }
    cost[a.len()][b.len()]
}

/// A sequence that looks random and is not.
struct Random(u64);

impl Random {
    fn seeded(name: &str, distance: usize) -> Self {
        let start = 0xcbf2_9ce4_8422_2325 + distance as u64;
        let seed = name
            .bytes()
            .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(seed | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
}
