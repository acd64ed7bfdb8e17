//! Writing result files: all of them or none.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::error::{Error, ErrorKind, Result};

/// A folder that receives files at once: each is written beside its final name and renamed at the end, so an
/// interrupted run leaves the last results as they were.
pub struct OutputFolder {
    folder: PathBuf,
    staged: Vec<(PathBuf, TempPath)>,
    retired: Vec<PathBuf>,
    lock: Option<File>,
}

impl OutputFolder {
    /// Makes the folder if it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        if folder.is_file() {
            return Err(Error::input("this is a file, not a folder")
                .at(folder)
                .help("choose a folder for the results"));
        }
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        Ok(Self { folder: folder.to_owned(), staged: Vec::new(), retired: Vec::new(), lock: None })
    }

    /// Keeps others from writing into the folder until this is committed or dropped, for what is read there first. Where folders
    /// cannot be locked, nothing happens.
    pub fn hold(&mut self) {
        self.lock = File::open(&self.folder).ok().filter(|folder| folder.lock().is_ok());
    }

    /// Writes a file that [`OutputFolder::commit`] will give its name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn stage(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let fail = |error: &std::io::Error| unwritable(&self.folder, error);
        let path = self.folder.join(name);
        if path.is_dir() {
            return Err(Error::input("a folder has the name of a result file").at(path).help("move it away"));
        }
        let mut file = NamedTempFile::new_in(&self.folder).map_err(|error| fail(&error))?;
        file.write_all(bytes).map_err(|error| fail(&error))?;
        make_readable(&file).map_err(|error| fail(&error))?;
        self.staged.push((path, file.into_temp_path()));
        Ok(())
    }

    /// Marks a file of an earlier run that [`OutputFolder::commit`] will remove if it is there.
    pub fn retire(&mut self, name: &str) {
        self.retired.push(self.folder.join(name));
    }

    /// Renames every staged file and returns their paths.
    ///
    /// # Errors
    /// A file cannot be renamed, or one of an earlier run not removed.
    pub fn commit(mut self) -> Result<Vec<PathBuf>> {
        // Two runs into one folder: all files are of the one that ends last. Where folders cannot be locked, files still are whole.
        if self.lock.is_none() {
            self.hold();
        }
        let mut written = Vec::new();
        for (path, staged) in self.staged {
            staged.persist(&path).map_err(|error| unwritable(&path, &error.error))?;
            written.push(path);
        }
        for path in self.retired.iter().filter(|path| path.is_file()) {
            fs::remove_file(path).map_err(|error| unwritable(path, &error))?;
        }
        Ok(written)
    }
}

/// Temporary files are private; results are for everybody that may read the folder.
#[cfg(unix)]
fn make_readable(file: &NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &NamedTempFile) -> std::io::Result<()> {
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::input(format!("cannot write here ({error})"))
        .of(ErrorKind::File)
        .at(path)
        .help("choose a folder that you may write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_appears_before_the_commit_and_the_last_result_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.csv"), "old").unwrap();
        let mut output = OutputFolder::create(folder.path()).unwrap();
        output.stage("a.csv", b"new").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a.csv")).unwrap(), "old");
        drop(output);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "an abandoned run leaves no temporary file");

        let mut output = OutputFolder::create(folder.path()).unwrap();
        output.stage("a.csv", b"new").unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a.csv")).unwrap(), "new");
    }
}
