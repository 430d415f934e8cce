"""Files that sidecars write into the store and the trainer reads: live rows, and labels that came back, joined by prediction id.

Rows:   ``captured/rows/<version>/<yyyy-mm-dd>/<pod>-<sequence>.parquet`` with the schema's columns as they were sent, and those below.
Labels: ``captured/labels/<yyyy-mm-dd>/<pod>-<sequence>.parquet`` with ``LABEL_COLUMNS``. The first label of an id counts.
A label is the truth about its prediction, so it is one of the target that the row names; rows that name another target are not learnt from.
Dropped: ``feedback/<name>``, .parquet, .csv or .csv.gz with ``DROPPED_COLUMNS``: labels that people or programs put there. One sidecar
claims it (``feedback/claims/<name>`` holds its pod's name), and moves it to ``feedback/done/<yyyy-mm-dd>/``, with ``<name>.result.json``.
A file appears whole or not at all. Columns that the schema calls sensitive are in none of them. Not here: reading and writing.
"""

COLUMN_ID = "_prediction_id"  # text
COLUMN_TIME = "_time"  # timestamp, UTC: the row's time column where the request had it, else the time of the request
COLUMN_ARRIVED = "_arrived"  # timestamp, UTC: the time of the request; rows of files without it are of no time
COLUMN_PREDICTION = "_prediction"  # float: the positive class's probability, the highest probability, or the number
COLUMN_TARGET = "_target"  # text: the name of the target that was predicted, by which rows outlive a change of data.target unharmed
COLUMN_TRACE = "_trace_id"  # text: the W3C trace of the row's request; only in files with a row whose request had one

DROPPED_COLUMNS = ("id", "truth")

LABEL_COLUMNS = (COLUMN_ID, "truth", COLUMN_TIME)  # truth as text: JSON of the value that was sent
