//! Which names stand for secrets: of headers, of environment variables, of keys of a table.

/// Words of a header's or a variable's name that make it one of a credential.
const WORDS: [&str; 19] = [
    "apikey",
    "auth",
    "authorization",
    "authentication",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "jwt",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pat",
    "secret",
    "session",
    "signature",
    "token",
    "tokens",
];

/// Whether a header or a variable of this name carries a credential, such as `x-api-key` or `GITHUB_TOKEN`.
pub fn is_credential(name: &str) -> bool {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric());
    let mut words = words.map(str::to_ascii_lowercase);
    words.any(|word| WORDS.contains(&&*word))
}

/// Whether what a key of a table holds is a secret, whatever the table.
pub(super) fn is_secret_key(key: &str) -> bool {
    const NAMES: [&str; 10] = [
        "api_key",
        "api_key_sealed",
        "hash",
        "key",
        "key_hash",
        "password",
        "secret",
        "token",
        "value",
        "value_sealed",
    ];
    const ENDS: [&str; 4] = ["_password", "_sealed", "_secret", "_token"];
    NAMES.contains(&key) || ENDS.iter().any(|end| key.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_known_by_a_word_of_its_name() {
        let check =
            |name: &str, expected: bool| assert_eq!(is_credential(name), expected, "{name}");
        check("Authorization", true);
        check("proxy-authorization", true);
        check("x-api-key", true);
        check("x-goog-api-key", true);
        check("X-GitHub-Token", true);
        check("GITHUB_TOKEN", true);
        check("set-cookie", true);
        check("x-team", false);
        check("x-author", false);
        check("x-keyboard", false);
        check("RUST_LOG", false);
    }

    #[test]
    fn a_secret_is_told_from_the_name_of_its_variable() {
        let check = |key: &str, expected: bool| assert_eq!(is_secret_key(key), expected, "{key}");
        check("key", true);
        check("key_hash", true);
        check("api_key_sealed", true);
        check("export_token", true);
        check("token_env", false);
        check("api_key_env", false);
        check("api_key_file", false);
        check("tokens", false);
        check("token_limit_per_minute", false);
        check("previous_key_hashes", false);
        check("allowed_models", false);
    }
}
