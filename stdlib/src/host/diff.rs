//! Differences of file contents, for people.

use similar::TextDiff;

/// Larger contents are not compared line by line.
const LIMIT: usize = 1 << 20;

/// A unified diff of a file's old and new content; in a few words where they are binary or large.
pub(crate) fn diff(path: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    let size = |content: Option<&[u8]>| {
        content.map_or("no file".to_owned(), |content| format!("{} bytes", content.len()))
    };
    let text = |content: Option<&'_ [u8]>| match content {
        None => Some(String::new()),
        Some(content) if content.len() > LIMIT || content.contains(&0) => None,
        Some(content) => String::from_utf8(content.to_owned()).ok(),
    };
    let (Some(before), Some(after)) = (text(old), text(new)) else {
        return format!("{path}: {} before, {} now", size(old), size(new));
    };
    let name = |content: Option<&[u8]>| if content.is_some() { path } else { "/dev/null" };
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .header(name(old), name(new))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compared_by_line_and_binary_by_size() {
        assert_eq!(
            diff("/x", Some(b"a\nb\n"), Some(b"a\nc\n")),
            "--- /x\n+++ /x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        );
        assert_eq!(
            diff("/x", None, Some(b"a\n")),
            "--- /dev/null\n+++ /x\n@@ -0,0 +1 @@\n+a\n"
        );
        assert_eq!(
            diff("/x", Some(b"\0"), Some(b"ab")),
            "/x: 1 bytes before, 2 bytes now"
        );
        assert_eq!(diff("/x", None, Some(b"\xff")), "/x: no file before, 1 bytes now");
    }
}
