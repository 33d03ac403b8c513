//! Every input of the fuzz corpus, and every cut of it, goes through its decoder.

use std::path::Path;

#[test]
fn the_corpus_hurts_nobody() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut inputs = 0;
    for (name, target) in tests::hostile::TARGETS {
        let folder = corpus.join(name);
        for file in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let input = std::fs::read(file.unwrap().path()).unwrap();
            // Whole, and cut everywhere (large inputs at a thousand places).
            let step = input.len() / 1000 + 1;
            target(&input);
            (0..input.len()).step_by(step).for_each(|n| target(&input[..n]));
            inputs += 1;
        }
    }
    assert!(inputs >= tests::hostile::TARGETS.len(), "the corpus has lost its inputs");
}
