//! stub
#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {}
pub(super) fn run(_: &BenchArgs) -> anyhow::Result<()> {
    Ok(())
}
