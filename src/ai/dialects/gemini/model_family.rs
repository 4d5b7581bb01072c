//! What differs between generations of the provider's models, by their names.

/// The model as paths and bodies name it.
pub(super) fn resource(model: &str) -> String {
    if model.starts_with("models/") || model.starts_with("tunedModels/") {
        model.to_owned()
    } else {
        format!("models/{model}")
    }
}

/// Whether a call in the current turn that carries no signature is refused: by everything from the third generation
/// on, and so perhaps by names that do not tell (`gemini-flash-latest`).
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>
pub(super) fn validates_signatures(model: &str) -> bool {
    !["gemini-1", "gemini-2", "gemma-"]
        .iter()
        .any(|older| name(model).starts_with(older))
}

/// Whether a function's result may itself hold pictures; the generations before take them only beside it.
/// <https://ai.google.dev/gemini-api/docs/function-calling#multimodal>
pub(super) fn takes_media_in_results(model: &str) -> bool {
    name(model).starts_with("gemini-3")
}

/// Whether thinking cannot be switched off.
/// <https://ai.google.dev/gemini-api/docs/thinking#set-budget>
pub(super) fn always_thinks(model: &str) -> bool {
    let name = name(model);
    name.starts_with("gemini-2.5-pro") || (name.starts_with("gemini-3") && name.contains("-pro"))
}

fn name(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_generation() {
        for (model, validates, nests, always_thinks) in [
            ("gemini-2.5-pro", false, false, true),
            ("models/gemini-2.5-flash", false, false, false),
            ("gemini-1.5-pro", false, false, false),
            ("gemma-3-27b-it", false, false, false),
            ("gemini-3-pro-preview", true, true, true),
            ("models/gemini-3.1-flash", true, true, false),
            ("gemini-flash-latest", true, false, false),
        ] {
            assert_eq!(super::always_thinks(model), always_thinks, "{model}");
            assert_eq!(validates_signatures(model), validates, "{model}");
            assert_eq!(takes_media_in_results(model), nests, "{model}");
        }
        assert_eq!(resource("gemini-x"), "models/gemini-x");
        assert_eq!(resource("models/gemini-x"), "models/gemini-x");
    }
}
