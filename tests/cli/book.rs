//! `docs/builtins.md`, once it is there, is what `psprun builtins -o markdown` prints.

use crate::support::Psprun;

#[test]
fn the_builtins_chapter_is_in_step() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/builtins.md");
    let made = Psprun::new().args(["builtins", "-o", "markdown"]).run().stdout;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, made).expect("it can be written");
    } else if let Ok(book) = std::fs::read_to_string(path) {
        assert!(
            book == made,
            "docs/builtins.md is not in step: run UPDATE_DOCS=1 cargo test --test main book"
        );
    }
}
