//! What is logged where wharf itself fails: at which place of its source, and no word that may be a file's.
//!
//! A panic quotes what was worked on: one of slicing up to 256 bytes of the text, which may hold a secret. So of its
//! words only those before the first quote are kept, here and nowhere else; the place says the rest to whoever has
//! the source. Read next: [`crate::intake`], whose reader may fail on a file.

use std::backtrace::{Backtrace, BacktraceStatus};

/// At most so many characters of a panic's words are kept.
const MOST: usize = 100;

/// From now on a panic of any thread is one event of the log, instead of its words on stderr.
pub fn log() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let words = before_quotes(info.payload_as_str().unwrap_or_default());
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!(place, thread, words, %backtrace, "wharf itself failed");
        } else {
            tracing::error!(place, thread, words, "wharf itself failed");
        }
    }));
}

/// What of a panic's words is the program's own.
fn before_quotes(words: &str) -> &str {
    let quotes = |c: char| matches!(c, '`' | '"' | '\'') || c.is_control();
    let own = words.split(quotes).next().unwrap_or_default();
    let end = own.char_indices().nth(MOST).map_or(own.len(), |(at, _)| at);
    own[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    /// Its words, as a panic has them.
    fn words(fails: fn()) -> String {
        let panic = catch_unwind(fails).expect_err("it fails");
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("words")
    }

    #[test]
    fn a_panic_tells_nothing_of_what_was_worked_on() {
        let secret = "geheim-ß";
        let sliced = words(|| drop(std::hint::black_box("geheim-ß")[..8].to_owned()));
        let compared = words(|| assert_eq!("geheim-ß", "another"));
        for told in [sliced, compared] {
            assert!(told.contains(secret), "as it is: {told}");
            assert!(!before_quotes(&told).contains("geheim"), "{told}");
        }
    }

    #[test]
    fn the_own_words_of_a_panic_are_kept() {
        assert_eq!(
            before_quotes("index out of bounds: the len is 3"),
            "index out of bounds: the len is 3"
        );
        assert_eq!(before_quotes("it was there `x`"), "it was there");
        assert_eq!(before_quotes(""), "");
        assert_eq!(before_quotes(&"ä".repeat(300)), "ä".repeat(MOST));
    }
}
