package audit

const newSuffix = ".new" // of the folder of an incarnation that is being made; no tenant's name has a dot
