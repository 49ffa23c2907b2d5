//! What is told when the program itself is at fault.

use std::panic::PanicHookInfo;

use crate::terminal;

/// A short message in place of Rust's, unless `RUST_BACKTRACE` asks for the latter.
pub fn install_hook() {
    let asked_for_backtrace = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    if asked_for_backtrace {
        return;
    }
    std::panic::set_hook(Box::new(|info| terminal::complain(&message(info))));
}

fn message(info: &PanicHookInfo) -> String {
    let what = info.payload_as_str().unwrap_or("no message");
    let place = info
        .location()
        .map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
    explain(&format!("{what}{place}"))
}

fn explain(what: &str) -> String {
    format!(
        "internal error: {what}\n\
         This is a fault of psprun {version}, not of your playbook. Please report it where you have psprun from, with\n\
         the command line, the playbook, and what is printed with RUST_BACKTRACE=1 set.\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn says_what_happened_and_what_to_do() {
        insta::assert_snapshot!(super::explain("index out of bounds (src/x.rs:12)"));
    }
}
