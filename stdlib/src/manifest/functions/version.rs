//! Functions on versions, as Kubernetes' parts have them: `v1.20.2`, `1.20`, `v1.25.0-rc.1`, `v1.20.2+k3s1`.

use std::cmp::Ordering;

use psprun_engine::Function;
use semver::{BuildMetadata, Prerelease, Version};
use serde_json::Value;

use super::text_of;

pub(super) const ALL: &[Function] = &[
    Function {
        name: "semver_compare",
        summary: "Compares two versions: -1, 0 or 1; a leading `v` does not matter, missing parts are 0",
        params: &["one", "other"],
        call: |args| {
            let (one, other) = (
                parse(text_of(args, 0, "one")?)?,
                parse(text_of(args, 1, "other")?)?,
            );
            Ok(Value::from(one.version.cmp_precedence(&other.version) as i8))
        },
        example: "semver_compare(\"v1.9\", \"1.20.2\")",
        gives: "-1",
    },
    Function {
        name: "semver_matches",
        summary: "Whether a version is in a range: `>=1.19, <1.25`, `1.20`, `1.20.x`, `~1.20.1`, `^1.2`, several with `||`",
        params: &["version", "range"],
        call: |args| {
            let version = parse(text_of(args, 0, "version")?)?.version;
            matches(&version, text_of(args, 1, "range")?).map(Value::from)
        },
        example: "semver_matches(\"v1.20.2\", \">=1.19, <1.25\")",
        gives: "true",
    },
];

/// A version, and how many of its three numbers were written.
struct Parsed {
    version: Version,
    written: usize,
}

fn parse(text: &str) -> Result<Parsed, String> {
    let wrong = || format!("`{text}` is no version: versions look like v1.20.2 or 1.20");
    let plain = text.trim();
    let plain = plain.strip_prefix(['v', 'V']).unwrap_or(plain);
    let (plain, _build) = plain.split_once('+').unwrap_or((plain, ""));
    let (numbers, pre) = plain.split_once('-').unwrap_or((plain, ""));
    let mut parts = [0_u64; 3];
    let mut written = 0;
    for part in numbers
        .split('.')
        .take_while(|part| !matches!(*part, "x" | "X" | "*"))
    {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        // A fourth number, as packages have it, does not count.
        if let Some(place) = parts.get_mut(written) {
            *place = part.parse().map_err(|_| wrong())?;
            written += 1;
        }
    }
    let [major, minor, patch] = parts;
    let pre = Prerelease::new(pre).map_err(|_| wrong())?;
    Ok(Parsed {
        version: Version {
            major,
            minor,
            patch,
            pre,
            build: BuildMetadata::EMPTY,
        },
        written,
    })
}

fn matches(version: &Version, range: &str) -> Result<bool, String> {
    for alternative in range.split("||") {
        let mut all = true;
        for comparator in comparators(alternative) {
            all &= fits(version, &comparator).map_err(|why| format!("`{range}` is no range: {why}"))?;
        }
        if all {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `>= 1.19 <1.25` and `>=1.19,<1.25` are the same.
fn comparators(text: &str) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        match list.last_mut() {
            Some(last) if last.chars().all(|c| "<>=!~^".contains(c)) => last.push_str(word),
            _ => list.push(word.to_owned()),
        }
    }
    list
}

/// A part that is not written stands for all: `<=1.20` has 1.20.7, `>1.20` does not.
fn fits(version: &Version, comparator: &str) -> Result<bool, String> {
    let split = comparator
        .find(|c: char| !"<>=!~^".contains(c))
        .unwrap_or(comparator.len());
    let (operator, wanted) = comparator.split_at(split);
    let Parsed {
        version: from,
        written,
    } = parse(wanted)?;
    let is_below = |limit: &Version| version.cmp_precedence(limit) == Ordering::Less;
    let at_least = !is_below(&from);
    // The first version after all that are meant.
    let after = |part: usize| match part {
        0 => None,
        1 => Some(Version::new(from.major + 1, 0, 0)),
        2 => Some(Version::new(from.major, from.minor + 1, 0)),
        _ => Some(Version::new(from.major, from.minor, from.patch + 1)),
    };
    let up_to = |part: usize| match (part, &from.pre) {
        (3, _) => version.cmp_precedence(&from) != Ordering::Greater,
        _ => after(part).is_none_or(|limit| is_below(&limit)),
    };
    Ok(match operator {
        "" | "=" | "==" => at_least && up_to(written),
        "!=" => !(at_least && up_to(written)),
        ">=" => at_least,
        "<" => is_below(&from),
        "<=" => up_to(written),
        ">" => !up_to(written),
        "~" => at_least && after(written.min(2)).is_none_or(|limit| is_below(&limit)),
        "^" => {
            at_least
                && after(if from.major > 0 { 1 } else { written.min(2) }).is_none_or(|limit| is_below(&limit))
        }
        other => return Err(format!("`{other}` is no comparison")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    fn is_in(version: &str, range: &str) -> bool {
        matches(&parse(version).unwrap().version, range).unwrap()
    }

    #[test]
    fn ranges_hold_what_they_should() {
        for (version, range, expected) in [
            ("v1.20.2", ">=1.19, <1.25", true),
            ("v1.25.0", ">=1.19 <1.25", false),
            ("1.24.17", "< 1.25", true),
            ("1.20.7", "1.20", true),
            ("1.20.7", "1.20.x", true),
            ("1.21.0", "=1.20", false),
            ("1.20.7", "<=1.20", true),
            ("1.20.7", ">1.20", false),
            ("1.21.0", ">1.20", true),
            ("1.20.2", "!=1.20.2", false),
            ("1.20.9", "~1.20.1", true),
            ("1.21.0", "~1.20.1", false),
            ("1.30.0", "^1.2", true),
            ("2.0.0", "^1.2", false),
            ("1.11.0", "1.10 || 1.11", true),
            ("1.25.0-rc.1", "<1.25", true),
            ("1.20.2+k3s1", "1.20.2", true),
            ("1.20.2", "*", true),
        ] {
            assert_eq!(is_in(version, range), expected, "{version} {range}");
        }
        assert!(matches(&Version::new(1, 0, 0), ">>1").is_err());
        assert!(parse("latest").is_err() && parse("").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn comparing_and_ranges_agree(a in (0u64..4, 0u64..30, 0u64..30), b in (0u64..4, 0u64..30, 0u64..30)) {
            let [one, other] = [a, b].map(|(x, y, z)| format!("v{x}.{y}.{z}"));
            let order = parse(&one).unwrap().version.cmp_precedence(&parse(&other).unwrap().version);
            prop_assert_eq!(is_in(&one, &format!("<{other}")), order == Ordering::Less);
            prop_assert_eq!(is_in(&one, &format!("<={other}")), order != Ordering::Greater);
            prop_assert_eq!(is_in(&one, &format!("={other}")), order == Ordering::Equal);
            prop_assert_eq!(is_in(&one, &format!(">{other}")), order == Ordering::Greater);
            prop_assert_eq!(is_in(&one, &format!(">={other}")), order != Ordering::Less);
        }
    }
}
