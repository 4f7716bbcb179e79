DROP INDEX commissions_by_affiliate, commissions_by_date;
