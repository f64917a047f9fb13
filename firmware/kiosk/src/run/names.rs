//! Whether the panel can show what the election is about, asked before anything else is done with a package.

use election::package::Package;

use crate::identity::PackageFault;
use crate::ports::Panel;
use crate::screen::Fault;

/// Gives the panel the package's pictures and asks it for every text that some screen shows of the definition.
///
/// # Errors
/// [`Fault::Buffers`]: the panel has no memory for the pictures. [`PackageFault::Letters`]: a text would be blank on it.
pub(super) fn take<P: Panel>(panel: &mut P, package: &Package<'_>) -> Result<(), Fault> {
    if let Some(pictures) = &package.pictures {
        // A bound of the platform: what a panel has no memory for is refused here, not found out while it draws.
        panel.pictures(pictures).map_err(|_| Fault::Buffers)?;
    }
    let manifest = package.manifest;
    let options = |contest: election::manifest::Contest<'_>| {
        let mut options = contest.options.iter().map_while(Result::ok);
        options.all(|option| panel.draws(option.name) && panel.draws(option.party))
    };
    let drawn = panel.draws(manifest.name)
        && panel.draws(package.station.name)
        && manifest.epochs().all(|epoch| panel.draws(epoch.name))
        && manifest
            .contests()
            .all(|contest| panel.draws(contest.name) && panel.draws(contest.text) && options(contest));
    drawn.then_some(()).ok_or(Fault::Package(PackageFault::Letters))
}
