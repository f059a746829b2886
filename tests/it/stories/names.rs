//! Names as a story writes them and as the server knows them: every story has tenants of its own.

/// The names of one story.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Before the id of each of its tenants.
    prefix: String,
    /// The id of the tenant that it is about now, as it writes it.
    tenant: String,
}

impl Names {
    /// Those of the story of that number in that file.
    pub(super) fn new(file: &str, number: usize) -> Names {
        Names { prefix: format!("{}-{number}-", file.replace('_', "-")), tenant: String::from("acme") }
    }

    /// Goes on with another tenant.
    pub(super) fn choose(&mut self, tenant: &str) {
        tenant.strip_prefix("tenants/").unwrap_or(tenant).clone_into(&mut self.tenant);
    }

    /// The tenant as the server knows it.
    pub(super) fn tenant(&self) -> String {
        format!("tenants/{}{}", self.prefix, self.tenant)
    }

    /// An account as the server knows it: `users/u1` is one of the tenant, `.` the tenant itself, `tenants/b/users/u1`
    /// one of another tenant of the story. What begins with `!` goes out as it is.
    pub(super) fn account(&self, text: &str) -> String {
        match text {
            "." => self.tenant(),
            _ if text.starts_with('!') => text[1..].to_owned(),
            _ if text.starts_with("tenants/") => self.document(text),
            _ => format!("{}/{text}", self.tenant()),
        }
    }

    /// A document with every tenant replaced by the story's own. `tenants/-` stays.
    pub(super) fn document(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("tenants/") {
            // `subtenants/a` is no tenant, and the wild pair `tenants/-` means every one.
            let whole = !rest[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            let (before, after) = rest.split_at(at + "tenants/".len());
            out.push_str(before);
            if whole && after.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                out.push_str(&self.prefix);
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// A text of the server with the tenants as the story writes them.
    pub(super) fn shown(&self, text: &str) -> String {
        text.replace(&format!("tenants/{}", self.prefix), "tenants/")
    }

    /// An account of the server as the story writes it.
    pub(super) fn short(&self, account: &str) -> String {
        let tenant = self.tenant();
        match account.strip_prefix(&tenant) {
            Some("") => String::from("."),
            Some(rest) if rest.starts_with('/') => rest[1..].to_owned(),
            _ => self.shown(account),
        }
    }
}

#[test]
fn names_go_out_and_come_back() {
    let mut names = Names::new("a_b", 3);
    names.choose("tenants/x");
    assert_eq!(names.account("users/u"), "tenants/a-b-3-x/users/u");
    assert_eq!(names.account("tenants/y/users/u"), "tenants/a-b-3-y/users/u");
    assert_eq!(names.account("!users"), "users");
    assert_eq!(names.document("tenants/- b: tenants/y/subtenants/z"), "tenants/- b: tenants/a-b-3-y/subtenants/z");
    for name in ["users/u", ".", "tenants/y/users/u"] {
        assert_eq!(names.short(&names.account(name)), name);
    }
}
