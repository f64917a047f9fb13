mod record_support;
use record_support::*; use record_support::memory::*;
use election::manifest::Policy; use election::verify::*; use election::record::FileName;
#[test]
fn scale() {
    let mut e = ByHand::new(Policy::First);
    let k = e.register(1);
    let n = 3000usize;
    let t = std::time::Instant::now();
    for i in 0..n { let b = e.cast(k, 0, 0, (i % 250) as u8, &[1, 1]); let mut tag=[0u8;32]; tag[..8].copy_from_slice(&(i as u64).to_be_bytes()); e.ballots[b].tag = tag; e.ballots[b].leaf = leaf_of(&e.ballots[b]); }
    println!("encrypt {:?}", t.elapsed());
    for c in (0..n).collect::<Vec<_>>().chunks(8) { e.batch(k, 0, c, None); if e.pending.len() > 50 { e.seal(); } }
    e.close(k, 0); e.seal();
    let t = std::time::Instant::now();
    let mut owned = e.record();
    println!("make {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let record = Record::open(owned.files(), None).unwrap();
    println!("open {:?} {:?} bytes {}", t.elapsed(), record.sizes(), owned.get(FileName::Ballots).len());
    let mut memory = Memory::new(record.sizes());
    let t = std::time::Instant::now();
    let checked = record.check(memory.lend(), &mut |_, _, _| ()).unwrap();
    println!("check {:?}", t.elapsed());
    let crypto = e.crypto();
    let mut terms = vec![election::ballot::Term::EMPTY; 40000];
    let mut buckets = vec![election::group::ProjectivePoint::IDENTITY; 2048];
    let t = std::time::Instant::now();
    let mut s = election::ballot::Scratch::new(&mut terms, &mut buckets);
    checked.check_ballots(&crypto, election::batch::Kind::Cast, 0, n as u32, &mut s).unwrap();
    println!("proofs {:?}", t.elapsed());
    let layout = SumLayout::new(record.manifest());
    let mut sums = vec![election::tally::SelectionSum::EMPTY; layout.len()];
    let t = std::time::Instant::now();
    checked.add_ballots(&layout, 0, n as u32, &mut sums).unwrap();
    println!("sums {:?}", t.elapsed());
    let t = std::time::Instant::now();
    checked.check_tally(&layout, &sums, &mut |_, _| ()).unwrap();
    println!("tally {:?}", t.elapsed());
    owned.sign();
}
