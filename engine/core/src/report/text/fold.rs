//! Long lines are folded at [`WIDTH`] columns, between words, and go on under their beginning.

use super::WIDTH;

/// Writes `text` behind `first`, folded; further lines begin with `next`.
pub(super) fn fold(out: &mut String, first: &str, next: &str, text: &str) {
    out.push_str(first);
    let mut column = first.chars().count();
    let mut at_beginning = true;
    for word in text.split(' ') {
        let length = word.chars().count();
        if !at_beginning {
            // Blanks of a table are kept: only a word that does not fit goes to the next line.
            if column + 1 + length > WIDTH && length > 0 {
                trim_end(out);
                out.push('\n');
                out.push_str(next);
                column = next.chars().count();
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(word);
        column += length;
        at_beginning = false;
    }
    trim_end(out);
    out.push('\n');
}

fn trim_end(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = String::new();
        fold(&mut out, "  | ", "      ", text);
        out
    }

    #[test]
    fn short_lines_stay_as_they_are() {
        assert_eq!(folded("a   b"), "  | a   b\n");
        assert_eq!(folded(""), "  |\n");
    }

    #[test]
    fn long_lines_go_on_under_their_beginning_and_keep_to_the_width() {
        let text = folded(&"word ".repeat(60));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("      word")), "{text}");
        assert_eq!(text.split_whitespace().count(), 61);
    }

    #[test]
    fn a_word_that_fits_nowhere_stays_whole() {
        let word = "x".repeat(120);
        assert_eq!(folded(&format!("a {word}")), format!("  | a\n      {word}\n"));
    }

    #[test]
    fn a_line_of_the_whole_width_is_one_line() {
        let word = "x".repeat(WIDTH - "  | a ".len());
        assert_eq!(folded(&format!("a {word}")), format!("  | a {word}\n"));
        assert_eq!(folded(&format!("a {word}x")), format!("  | a\n      {word}x\n"));
        assert_eq!(folded(&format!("a {word}  b")), format!("  | a {word}\n      b\n"));
    }
}
