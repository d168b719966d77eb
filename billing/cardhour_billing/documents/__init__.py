"""What people hold in their hands: PDF, CSV and XLSX, made once from a frozen document and kept."""
