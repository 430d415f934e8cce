"""Files that sidecars write into the store and the trainer reads: live rows, and labels that came back, joined by prediction id.

Rows:   ``captured/rows/<version>/<yyyy-mm-dd>/<pod>-<sequence>.parquet`` with the schema's columns as they were sent, and the three below.
Labels: ``captured/labels/<yyyy-mm-dd>/<pod>-<sequence>.parquet`` with ``LABEL_COLUMNS``. The first label of an id counts.
A file appears whole or not at all. Not here: reading and writing.
"""

COLUMN_ID = "_prediction_id"  # text
COLUMN_TIME = "_time"  # timestamp, UTC: the row's time column where the request had it, else the time of the request
COLUMN_PREDICTION = "_prediction"  # float: the positive class's probability, the highest probability, or the number

LABEL_COLUMNS = (COLUMN_ID, "truth", COLUMN_TIME)  # truth as text: JSON of the value that was sent
