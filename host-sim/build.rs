//! Compiles the window's Slint code, where there is a window.

fn main() {
    #[cfg(feature = "window")]
    {
        let config = slint_build::CompilerConfiguration::new()
            .with_style("fluent".into())
            .embed_resources(slint_build::EmbedResourcesKind::EmbedFiles);
        if let Err(error) = slint_build::compile_with_config("src/window/window.slint", config) {
            // A plain line, not a panic: the person who reads it has edited the window, not this program.
            eprintln!("src/window/window.slint: {error}");
            std::process::exit(1);
        }
    }
}
