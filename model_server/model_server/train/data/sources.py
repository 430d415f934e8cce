"""Read a declared source: every file that its address matches, as one table of the declared columns.

Not here: how a file of each format is read (``file_formats.py``), and checks.
"""

from collections.abc import Sequence

import pyarrow as pa
from mlmodel_contract.manifest import Column
from mlmodel_contract.run import Problem

from ...storage import StorageError, StorageUnreachableError, glob_files, locate
from .file_formats import Reading, read_file, schema_of


def read_source(uri: str, credentials: str | None, columns: Sequence[Column]) -> Reading:
    """Read every file of an address; what is wrong with it is a problem, not an exception.

    Raises:
        StorageUnreachableError: nobody answers.

    """
    nothing = schema_of(columns).empty_table()
    try:
        readings = [read_file(file, columns) for file in glob_files(locate(uri, credentials))]
    except StorageUnreachableError:
        raise
    except StorageError as error:
        return Reading(nothing, [Problem(check=error.check, message=str(error)[:400])])
    table = pa.concat_tables([nothing, *(reading.table for reading in readings)])
    problems = [problem for reading in readings for problem in reading.problems]
    if not readings:
        problems = [Problem(check="SourceMissing", message=f"no file matches '{uri}': correct the address or put files there"[:400])]
    elif not problems and table.num_rows == 0:
        problems = [Problem(check="SourceEmpty", message=f"'{uri}' has no rows: put data there or remove the source")]
    return Reading(table, problems)
