"""Why is this line what it is, does the document still hold, and what would it come to today?"""
