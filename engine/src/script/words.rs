//! Words that the language reserves and playbooks want: `.until(…)`, `#{ default: … }`.

use std::cell::Cell;

use rhai::{Engine, Token};

thread_local! {
    /// Whether the last token ended a block: only then `until` can be the end of `do { … } until …`.
    static AFTER_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Lets `until` be a method and a key, and `default` a plain name, which the language reserves and does not use.
pub(crate) fn register(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "Rhai marks its volatile interfaces so; the version is pinned by Cargo.lock"
    )]
    engine.on_parse_token(|token, _, _| {
        let token = match token {
            Token::Until if !AFTER_BLOCK.get() => Token::Identifier(Box::new("until".into())),
            Token::Reserved(word) if *word == "default" => Token::Identifier(word),
            other => other,
        };
        AFTER_BLOCK.set(matches!(token, Token::RightBrace));
        token
    });
}
