//! The hash by which a joining node knows a cluster's authority.

use psprun_engine::StepError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

/// `sha256:` and the hex SHA-256 of the certificate's SubjectPublicKeyInfo in DER (kubeadm's `pubkeypin`). Of several
/// certificates the first counts.
///
/// # Errors
/// The text has no certificate, or one that cannot be read.
pub fn public_key_hash(what: &str, pem: &[u8]) -> Result<String, StepError> {
    let wrong =
        |why: String| StepError::new("psprun::kubeadm::ca", format!("{what} is no certificate: {why}"));
    let der = CertificateDer::from_pem_slice(pem).map_err(|error| wrong(error.to_string()))?;
    let certificate = ParsedCertificate::try_from(&der).map_err(|error| wrong(error.to_string()))?;
    let hash = Sha256::digest(certificate.subject_public_key_info());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_hash_is_kubeadms() {
        // A CA that kubeadm 1.20.2 made; the hash is the one that its join command printed, which is also that of
        // openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum.
        let hash = public_key_hash("ca.crt", include_bytes!("testdata/ca.crt")).unwrap();
        assert_eq!(hash, include_str!("testdata/ca.hash").trim());
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(
            public_key_hash("x", b"hello")
                .unwrap_err()
                .message
                .starts_with("x is no certificate")
        );
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(public_key_hash("x", broken).is_err());
    }
}
