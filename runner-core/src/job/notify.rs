//! Whom to tell when the operation ends.

use crate::env::{Env, Key, parse};
use crate::report::webhook;
use crate::secret::Secret;

pub const KEYS: &[Key] = &[
    // Many services put their secret into the URL.
    Key::secret(
        "CALLBACK_URL",
        "",
        "URL that receives one JSON POST when the operation ends, whatever its end",
    ),
    Key::secret(
        "CALLBACK_TOKEN",
        "",
        "Token that is sent with it as `Authorization: Bearer`",
    ),
    Key::secret(
        "CALLBACK_SECRET",
        "",
        "Key that signs the POST as in the Standard Webhooks specification: `whsec_` and base64, or plain text",
    ),
];

/// Where a job's end is reported.
#[derive(Clone, Debug)]
pub struct Notify {
    pub url: Secret,
    pub token: Option<Secret>,
    pub secret: Option<Secret>,
}

pub(super) fn read(env: &mut Env) -> Option<Notify> {
    let url = env.parse("CALLBACK_URL", None, |text| parse::http_url(text).map(Some));
    let token = env.secret("CALLBACK_TOKEN");
    let is_header = |it: &Secret| it.reveal().chars().all(|c| matches!(c, ' '..='~'));
    if !token.as_ref().is_none_or(is_header) {
        env.problem(
            "CALLBACK_TOKEN: expected printable ASCII, as it is sent in a header".to_owned(),
        );
    }
    let secret = env.parse("CALLBACK_SECRET", None, |text| {
        let secret = Secret::new(text);
        webhook::signing_key(&secret).map(|_| Some(secret))
    });
    for name in ["CALLBACK_TOKEN", "CALLBACK_SECRET"] {
        if env.is_set(name) && !env.is_set("CALLBACK_URL") {
            env.warn(format!("{name} is not used without CALLBACK_URL"));
        }
    }
    Some(Notify {
        url: Secret::new(url?),
        token: token.filter(is_header),
        secret,
    })
}
