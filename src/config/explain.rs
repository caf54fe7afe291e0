//! `grindvakt check --explain PATH`: the effective rule of a path, in words.

use std::fmt::Write as _;

use super::{Config, Encryption, Protocol};
use crate::identity::Field;
use crate::policy::{Access, normal_path};

/// What holds for `path`.
///
/// # Errors
/// What is wrong with the path: such a request is answered 400.
pub fn explain(config: &Config, path: &str) -> Result<String, String> {
    let normal = normal_path(path).map_err(|e| format!("the path {e}: a request for it is answered 400"))?;
    let mut out = String::new();
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "{name:<10} {text}");
    };
    line("path", &normal);
    let prefix = &config.service.prefix;
    if normal == prefix.as_str() || normal.starts_with(&format!("{prefix}/")) {
        line("route", "none: our own paths are under this prefix and never reach the e-service");
        return Ok(out);
    }
    let route = config.routes.find(&normal);
    line("route", route.name.as_str());
    if route.access == Access::Anonymous {
        line("access", "anonymous: open to all; identity headers are taken off");
        return Ok(out);
    }
    line("access", "session: a login is needed");
    match route.loa.as_slice() {
        [] => line("loa", "any that the provider may assert"),
        levels => levels.iter().enumerate().for_each(|(i, loa)| line(if i == 0 { "loa" } else { "" }, loa.uri())),
    }
    let names = |fields: &[Field]| match fields {
        [] => "nothing".to_owned(),
        fields => fields.iter().map(|f| f.name()).collect::<Vec<_>>().join(", "),
    };
    if let Some(age) = route.max_age {
        line("max_age", &format!("a login of {} s at the most: an older one is done again", age.as_secs()));
    }
    if route.background {
        line("background", "requests for it keep no session alive");
    }
    line("require", &names(&route.require));
    line("forward", &names(&route.forward));
    let headers: Vec<String> =
        ["X-Eid-Subject", "X-Eid-Provider", "X-Eid-Authenticated-At", "X-Eid-Session", "X-Eid-Assertion"]
            .into_iter()
            .map(str::to_owned)
            .chain(route.forward.iter().map(|field| header_name(*field)))
            .collect();
    line("headers", &headers.join(", "));
    let takes = |eid| route.eid.is_empty() || route.eid.contains(eid);
    for provider in config.providers.iter().filter(|provider| provider.has_login() && takes(&provider.eid)) {
        let how = match &provider.protocol {
            Protocol::Saml(saml) => match saml.encryption {
                Encryption::Required => "saml, encrypted",
                Encryption::Optional => "saml, encrypted or not",
            },
            other => other.name(),
        };
        line("provider", &format!("{} ({}), {how}", provider.id, provider.eid));
    }
    Ok(out)
}

/// `X-Eid-…` of a field.
fn header_name(field: Field) -> String {
    let name = match field {
        Field::Eid => "method",
        other => other.name(),
    };
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    format!("X-Eid-{}", words.collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_named_as_the_gate_sends_them() {
        for (field, name) in [
            (Field::PersonalNumber, "X-Eid-Personal-Number"),
            (Field::HsaId, "X-Eid-Hsa-Id"),
            (Field::Eid, "X-Eid-Method"),
            (Field::Loa, "X-Eid-Loa"),
        ] {
            assert_eq!(header_name(field), name);
        }
    }
}
