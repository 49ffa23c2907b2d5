//! Users and groups, from `/etc/passwd` and `/etc/group`.

use std::fs::read_to_string;

use crate::target::User;

/// The numbers of an owner; what is `None` stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

/// The numbers of `user`, `user:group` or `:group`, each a name or a number.
pub(super) fn ids_of(owner: &str) -> Result<Ids, String> {
    let (user, group) = match owner.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (owner, None),
    };
    let id = |name: &str, database: &str, what: &str| {
        if name.is_empty() {
            return Ok(None);
        }
        if let Ok(number) = name.parse() {
            return Ok(Some(number));
        }
        id_of(&read_to_string(database).unwrap_or_default(), name)
            .map(Some)
            .ok_or_else(|| format!("there is no {what} `{name}` in {database}"))
    };
    Ok(Ids {
        uid: id(user, PASSWD, "user")?,
        gid: id(group.unwrap_or_default(), GROUP, "group")?,
    })
}

/// The user as whom psprun runs. A home in `HOME` counts, but not through sudo, which may leave it the caller's.
pub(super) fn current() -> User {
    let uid = rustix::process::geteuid().as_raw();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let sudo_caller = number("SUDO_UID").filter(|_| uid == 0).map(|caller| {
        let mut user = user_of(caller);
        user.gid = number("SUDO_GID").unwrap_or(user.gid);
        Box::new(user)
    });
    let mut user = user_of(uid);
    if sudo_caller.is_none()
        && let Ok(home) = std::env::var("HOME")
        && home.starts_with('/')
    {
        user.home = home;
    }
    User { sudo_caller, ..user }
}

/// The name of a user, or the number.
pub(super) fn user_name(uid: u32) -> String {
    name_of(&read_to_string(PASSWD).unwrap_or_default(), uid)
}

/// The name of a group, or the number.
pub(super) fn group_name(gid: u32) -> String {
    name_of(&read_to_string(GROUP).unwrap_or_default(), gid)
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

fn user_of(uid: u32) -> User {
    let passwd = read_to_string(PASSWD).unwrap_or_default();
    let entry = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2).is_some_and(|field| *field == uid.to_string()));
    let field = |place: usize| entry.as_ref().and_then(|fields| fields.get(place).copied());
    User {
        name: field(0).map_or_else(|| uid.to_string(), str::to_owned),
        uid,
        gid: field(3).and_then(|text| text.parse().ok()).unwrap_or(uid),
        home: field(5).filter(|home| !home.is_empty()).unwrap_or("/").to_owned(),
        sudo_caller: None,
    }
}

/// Both databases have the name first and the number third.
fn id_of(database: &str, name: &str) -> Option<u32> {
    database
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?)
}

fn name_of(database: &str, id: u32) -> String {
    let id = id.to_string();
    database
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| {
            let name = fields.next()?;
            (fields.nth(1)? == id).then(|| name.to_owned())
        })
        .unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_names_or_numbers() {
        let ids = |uid, gid| Ok(Ids { uid, gid });
        assert_eq!(ids_of("root"), ids(Some(0), None));
        assert_eq!(ids_of("root:root"), ids(Some(0), Some(0)));
        assert_eq!(ids_of("1000:1001"), ids(Some(1000), Some(1001)));
        assert_eq!(ids_of(":root"), ids(None, Some(0)));
        assert_eq!(
            ids_of("nobody-here"),
            Err("there is no user `nobody-here` in /etc/passwd".to_owned())
        );
    }

    #[test]
    fn numbers_without_a_name_stay_numbers() {
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(3_999_999), "3999999");
        assert_eq!(name_of("a:x:1:\nbroken\nb:x:2:", 2), "b");
    }
}
