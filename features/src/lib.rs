//! One definition of a feature, two computations of it (offline and online); its first definitions come with the event lake.
