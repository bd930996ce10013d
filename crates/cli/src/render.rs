//! How things look on a terminal: colour, marks, tables, and foreign text made harmless.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use touchmark_sigstore::{Inclusion, LogProof};

use crate::arguments::ColorChoice;

/// What a piece of text is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Something that holds.
    Good,
    /// Something to look at.
    Caution,
    /// Something that does not hold.
    Bad,
    /// A heading.
    Strong,
    /// Detail.
    Faint,
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    color: bool,
}

impl Style {
    /// For results.
    pub(crate) fn for_stdout(choice: ColorChoice) -> Self {
        Self::choose(choice, std::io::stdout().is_terminal())
    }

    /// For messages.
    pub(crate) fn for_stderr(choice: ColorChoice) -> Self {
        Self::choose(choice, std::io::stderr().is_terminal())
    }

    /// No colour at all.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { color: false }
    }

    /// `NO_COLOR`: <https://no-color.org>, set and not empty.
    fn choose(choice: ColorChoice, terminal: bool) -> Self {
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self { color }
    }

    /// Whether there is colour.
    pub(crate) fn is_colored(self) -> bool {
        self.color
    }

    /// `text` in its tone.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let style = console::Style::new().force_styling(self.color);
        let style = match tone {
            Tone::Good => style.green(),
            Tone::Caution => style.yellow(),
            Tone::Bad => style.red(),
            Tone::Strong => style.bold(),
            Tone::Faint => style.dim(),
        };
        style.apply_to(text).to_string()
    }
}

/// Foreign text with control characters shown instead of obeyed, so that an annotation cannot rewrite the terminal.
pub(crate) fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_bidirectional_control(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Characters that reorder what a reader sees (CVE-2021-42574).
fn is_bidirectional_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// `text` with its digests cut to twelve digits: enough to find them by, and a line that can be read.
pub(crate) fn short_digests(text: &str) -> String {
    const SHOWN: usize = 12;
    let mut short = String::with_capacity(text.len());
    let mut digits = 0;
    for c in text.chars() {
        digits = if matches!(c, '0'..='9' | 'a'..='f') { digits + 1 } else { 0 };
        short.push(c);
        // SHA-256 and SHA-512 in hexadecimal.
        if digits == 64 || digits == 128 {
            short.truncate(short.len() - (digits - SHOWN).min(short.len()));
            digits = 0;
        }
    }
    short
}

/// What is known from transparency logs, in words. Never more than was proven.
pub(crate) fn log_note(log: &LogProof) -> String {
    match log {
        LogProof::NotShown => "no transparency log entry was shown".to_owned(),
        LogProof::NotVerified { entries: 1 } => "1 log entry was shown and not verified".to_owned(),
        LogProof::NotVerified { entries } => format!("{entries} log entries were shown and not verified"),
        LogProof::Verified { entries } => {
            let included = entries.iter().filter(|entry| entry.proven == Inclusion::Included).count();
            match (included, entries.len() - included) {
                (1, 0) => "1 log entry is proven to be included".to_owned(),
                (included, 0) => format!("{included} log entries are proven to be included"),
                (0, 1) => "1 log entry is promised; that it is included was not shown".to_owned(),
                (0, promised) => {
                    format!("{promised} log entries are promised; that they are included was not shown")
                }
                (included, promised) => {
                    format!("{included} log entries are proven to be included, {promised} only promised")
                }
            }
        }
        _ => "log proof of a kind that this version does not describe".to_owned(),
    }
}

/// A table with left-aligned columns, two spaces apart. The last column is cut to what fits in `width`.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.len()).collect();
    for row in rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(console::measure_text_width(cell));
        }
    }
    let mut text = String::new();
    push_row(&mut text, headings.iter().copied(), &widths, width);
    for row in rows {
        push_row(&mut text, row.iter().map(String::as_str), &widths, width);
    }
    text
}

fn push_row<'a>(
    text: &mut String,
    cells: impl Iterator<Item = &'a str>,
    widths: &[usize],
    width: Option<usize>,
) {
    let mut line = String::new();
    for (cell, column) in cells.zip(widths) {
        let padding = column.saturating_sub(console::measure_text_width(cell));
        // Writing to a string cannot fail.
        let _ = write!(line, "{cell}{:padding$}  ", "");
    }
    let line = line.trim_end();
    match width {
        Some(width) => text.push_str(&console::truncate_str(line, width, "…")),
        None => text.push_str(line),
    }
    text.push('\n');
}

/// The terminal's width, when stdout is one.
pub(crate) fn stdout_width() -> Option<usize> {
    let terminal = console::Term::stdout();
    terminal.is_term().then(|| usize::from(terminal.size().1))
}

/// Writes a result to stdout. A reader that has gone away (`| head`) is no failure.
pub(crate) fn to_stdout(bytes: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes a line for the user to stderr; that nobody reads it is no failure.
pub(crate) fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_move_the_cursor_or_reorder_the_line() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(harmless("plain – é"), "plain – é");
    }

    #[test]
    fn digests_are_cut_to_what_can_be_read() {
        let text = format!("a sha256:{} b sha256:{}", "ab".repeat(32), "0123");
        assert_eq!(short_digests(&text), "a sha256:abababababab b sha256:0123");
    }

    #[test]
    fn tables_align_and_fit() {
        let rows =
            vec![vec!["a".to_owned(), "long value".to_owned()], vec!["bbb".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["K", "V"], &rows, None), "K    V\na    long value\nbbb  x\n");
        assert!(
            table(&["K", "V"], &rows, Some(8)).lines().all(|line| console::measure_text_width(line) <= 8)
        );
    }

    #[test]
    fn colour_is_only_written_where_it_is_wanted() {
        assert_eq!(Style::plain().paint(Tone::Good, "x"), "x");
        assert!(Style { color: true }.paint(Tone::Good, "x").contains('\u{1b}'));
    }
}
