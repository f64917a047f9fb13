//! A seed is a run: the same record, byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use election::manifest::Policy;
use host_sim::{PlannedCut, Scenario, bundled};

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_record_and_another_seed_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let play = |seed: &str, out: &str| {
        let out = folder.path().join(out);
        let report = Scenario::new(bundled::load("kaga-consultation").unwrap())
            .voters(14)
            .kiosks(2)
            .policy(Policy::Last)
            .batch(2)
            .seed(seed)
            .cut(PlannedCut {
                kiosk: 0,
                epoch: 1,
                boundary: 17,
                torn: true,
            })
            .run(&out)
            .unwrap();
        assert!(report.holds(), "{:#?}", report.wrong);
        files(&out)
    };
    let (one, two, other) = (play("a", "1"), play("a", "2"), play("b", "3"));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(bytes == &two[name], "{name} differs");
    }
    assert!(one["ballots.bin"] != other["ballots.bin"] && one["manifest.bin"] == other["manifest.bin"]);
}
