"""Published labels: what makes a study with expensive labels reproducible without its labeler.

A folder of the repository, named by ``published`` of a study, holds

    labels.extxyz     every labelled frame, with all that the label store keeps of it
    failures.extxyz   frames that have no label, and why; absent if there are none
    selection.csv     test and validation frames, and the picks of each selector in their order
    about.json        what decided these: hash of the pool, options, settings of the labeler

`frames` is the format of the first two, `orders` takes test frames and picks, `taking` labels,
`publish` writes the folder, `card` its README.
"""
