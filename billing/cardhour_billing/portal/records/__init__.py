"""Lists of everything the books and the fleet hold, each with a page of one record and its history."""
