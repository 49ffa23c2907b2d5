//! Random values that kubeadm would otherwise make and print: psprun makes them, to know what to keep out of sight.

use psprun_engine::StepError;

/// A bootstrap token: `[a-z0-9]{6}.[a-z0-9]{16}`.
///
/// # Errors
/// The system gives no random numbers.
pub fn token() -> Result<String, StepError> {
    /// kubeadm's alphabet.
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::new();
    while text.len() < 22 {
        // 252 is 7 times 36: larger bytes would make some letters likelier.
        for byte in random::<32>()?
            .into_iter()
            .filter(|byte| *byte < 252)
            .take(22 - text.len())
        {
            text.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        }
    }
    text.insert(6, '.');
    Ok(text)
}

/// A key for the control plane's certificates: 32 bytes in hex.
///
/// # Errors
/// The system gives no random numbers.
pub fn certificate_key() -> Result<String, StepError> {
    Ok(random::<32>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether a text has a bootstrap token's form.
pub fn is_token(text: &str) -> bool {
    let is_part = |part: &str, length| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.split_once('.')
        .is_some_and(|(id, secret)| is_part(id, 6) && is_part(secret, 16))
}

fn random<const N: usize>() -> Result<[u8; N], StepError> {
    let mut bytes = [0; N];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| StepError::new("psprun::kubeadm::random", "the system gives no random numbers"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn tokens_have_the_form_and_differ() {
        let tokens: std::collections::BTreeSet<String> = (0..50).map(|_| token().unwrap()).collect();
        assert_eq!(tokens.len(), 50);
        assert!(tokens.iter().all(|token| is_token(token)), "{tokens:?}");
        assert_eq!(certificate_key().unwrap().len(), 64);
        for bad in [
            "",
            "abc",
            "abcdef.0123456789ABCDEF",
            "abcdef-0123456789abcdef",
            "abcdef.0123456789abcde",
        ] {
            assert!(!is_token(bad), "{bad}");
        }
    }
}
