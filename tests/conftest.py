"""What holds for every test: an example may take as long as it takes, on a busy machine too."""

from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")
