//! Writing HTML so that nothing from outside can become markup.
//!
//! Markup is `&'static str`, so it can only come from this program's text; every other string goes
//! through [`Html::text`], which escapes for element content and quoted attributes alike.

use std::fmt::{Display, Write};

/// HTML under construction.
#[derive(Default)]
pub(super) struct Html {
    out: String,
}

impl Html {
    /// Adds markup of this program.
    pub(super) fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// Adds a value, escaped; good between tags and between double quotes.
    pub(super) fn text(&mut self, value: impl Display) -> &mut Self {
        // Writing into a String cannot fail.
        let _ = write!(Escaping(&mut self.out), "{value}");
        self
    }

    /// Adds what another writer made.
    pub(super) fn html(&mut self, html: Html) -> &mut Self {
        if self.out.is_empty() {
            self.out = html.out;
        } else {
            self.out.push_str(&html.out);
        }
        self
    }

    /// Adds `items` with commas between them.
    pub(super) fn list(&mut self, items: impl IntoIterator<Item = impl Display>) -> &mut Self {
        for (at, item) in items.into_iter().enumerate() {
            self.markup(if at == 0 { "" } else { ", " }).text(item);
        }
        self
    }

    /// The finished text.
    #[must_use]
    pub(super) fn finish(self) -> String {
        self.out
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Neither invisible controls nor marks that turn the direction of a line around.
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    self.0.push('\u{fffd}');
                }
                c if c.is_control() && c != '\n' && c != '\t' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_becomes_markup() {
        let mut html = Html::default();
        html.markup("<p title=\"").text("\"'><script>alert(1)</script>&").markup("\">");
        assert_eq!(
            html.finish(),
            "<p title=\"&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\">"
        );
    }

    #[test]
    fn controls_and_direction_marks_are_shown_as_replaced() {
        let mut html = Html::default();
        html.text("a\u{1b}[31m\u{202e}b");
        assert_eq!(html.finish(), "a\u{fffd}[31m\u{fffd}b");
    }
}
